"""What each label buys: final AP against hours of annotation, on one dataset.

The dataset has masks; all weaker labels are derived from them. Every method runs with
its small recipe and ends with the same final model, on all images and, with --budget,
on the images that the same hours of annotation buy. Finished stages are kept: the same
command continues a comparison that was killed.
"""

import argparse
import warnings
from collections.abc import Sequence

from mmengine.config import DictAction

from mmwsis.dataset_converters.budget import parse_cost, read_costs
from mmwsis.engine.user_errors import user_errors
from mmwsis.pipelines.comparison import DEFAULT_METHODS, METHODS
from mmwsis.pipelines.comparison.methods import FINAL_MODEL
from mmwsis.pipelines.comparison.session import (
    CompareOptions,
    compare,
    draw,
    lay_out,
    print_plan,
)

EXAMPLES = f"""examples:
  # what would run, and how long it takes
  python tools/compare_supervision.py --dataset bolts.py --plan

  # all methods on all images, the baseline with three seeds
  python tools/compare_supervision.py --dataset bolts.py

  # three seeds, and what 2 and 5 hours of annotation buy at each level
  python tools/compare_supervision.py --dataset bolts.py --seeds 0 1 2 --budget 2 5

  # other costs: 2 s per image + 3 s per object for boxes; table and figure anew
  python tools/compare_supervision.py --dataset bolts.py --cost boxes=2+3 --draw

  # labels, or metrics of a final model, that were made elsewhere
  python tools/compare_supervision.py --dataset bolts.py \\
      --adopt exits=exits.json masks@1=metrics.json

  # a row for labels of another program
  python tools/compare_supervision.py --dataset bolts.py \\
      --adopt sam_boxes=sam.json 'My tool:points=mine.json'

Methods: {', '.join(METHODS)}. A method needs labels of its level alone.
Costs are those that people took on VOC (docs/compare_supervision.md), applied to the
classes and objects of the dataset, unless --costs or --cost say otherwise.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--dataset', required=True, metavar='FILE', help='dataset file, with masks'
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=[*METHODS],
        default=[*DEFAULT_METHODS],
        metavar='METHOD',
        help='default: all but those of SAM, whose weights are yours',
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0], metavar='N', help='of every method'
    )
    parser.add_argument(
        '--baseline-seeds',
        type=int,
        default=3,
        metavar='N',
        help='seeds of masks of all images, whose range is the noise band (default: 3)',
    )
    parser.add_argument(
        '--budget',
        nargs='+',
        type=float,
        default=[],
        metavar='HOURS',
        help='also compare what these hours buy, by nested random subsets',
    )
    parser.add_argument('--costs', metavar='FILE', help='cost table, JSON')
    parser.add_argument(
        '--cost',
        nargs='+',
        default=[],
        metavar='LEVEL=SECONDS',
        help='per image, or per image + per object (boxes=2+3); before the table',
    )
    parser.add_argument(
        '--final-model',
        default=FINAL_MODEL,
        metavar='CONFIG',
        help='of all methods and the baseline (default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='overrides of that config, such as train_dataloader.batch_size=4',
    )
    parser.add_argument(
        '--adopt',
        nargs='+',
        default=[],
        metavar='METHOD[@SEED]=FILE',
        help='pseudo labels of all images, or metrics of the final model, of elsewhere',
    )
    parser.add_argument(
        '--root',
        metavar='DIR',
        help='folder of the comparison (default: work_dirs/compare_supervision/NAME)',
    )
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='runs at once')
    parser.add_argument('--fast', action='store_true', help='a try of two iterations')
    parser.add_argument('--amp', action='store_true', help='mixed precision training')
    parser.add_argument(
        '--plan', '--list', action='store_true', help='say what would run, and stop'
    )
    parser.add_argument(
        '--draw',
        '--table',
        action='store_true',
        help='table, figure and page of what is finished, and stop',
    )
    args = parser.parse_args(argv)
    for name in ('jobs', 'baseline_seeds'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1')
    if len(set(args.seeds)) < len(args.seeds) or min(args.seeds) < 0:
        parser.error('--seeds must be different and not negative')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    args = parse_args(argv)
    # As in mmwsis.compat; imports since then have put filters of their own before it.
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')
    options = CompareOptions(
        dataset=args.dataset,
        root=args.root,
        methods=tuple(args.methods),
        seeds=tuple(args.seeds),
        baseline_seeds=args.baseline_seeds,
        budgets=tuple(sorted(set(args.budget))),
        costs={
            **(read_costs(args.costs) if args.costs else {}),
            **dict(map(parse_cost, args.cost)),
        },
        final_model=args.final_model,
        cfg_options=args.cfg_options,
        adopt=tuple(args.adopt),
        jobs=args.jobs,
        fast=args.fast,
        train_args=('--amp',) if args.amp else (),
    )
    if args.plan:
        print_plan(lay_out(options), args.jobs)
    elif args.draw:
        stages = lay_out(options)
        draw(stages)
        print((stages.root / 'results.md').read_text(encoding='utf-8'))
        print(f'Figure, table and page: {stages.root}')
    else:
        compare(options)


if __name__ == '__main__':
    with user_errors('The same command continues.'):
        main()
