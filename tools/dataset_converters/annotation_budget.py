"""Draw what each supervision level can afford within the same hours of annotation."""

import argparse
from collections.abc import Sequence

from mmwsis.dataset_converters.budget import (
    VOC_COSTS,
    format_table,
    parse_cost,
    read_costs,
    sample_budget,
)
from mmwsis.dataset_converters.command_line import (
    add_protocol_options,
    add_run_options,
    parser_with_examples,
    protocol_of,
    running,
)
from mmwsis.engine.user_errors import user_errors

EXAMPLES = f"""examples:
  # Table 2 of WISE: tags of all 1464 images of VOC, 1325 with points, 122 with masks;
  # read by configs/data_specs/voc_budget.py and voc_budget_masks.py
  python tools/dataset_converters/annotation_budget.py \\
      data/voc/annotations/instances_train.json --seconds 29280 \\
      --out-dir data/voc/budget

  # points that people clicked, not such that are derived from the masks
  python tools/dataset_converters/annotation_budget.py \\
      data/voc/annotations/instances_train.json --seconds 29280 \\
      --labels points=data/voc/weak/points_train.json --out-dir data/voc/budget

  # costs of your own: 2 s per image + 3 s per object for boxes, a table for the rest
  python tools/dataset_converters/annotation_budget.py train.json --hours 40 \\
      --costs costs.json --cost boxes=2+3 --out-dir budget

Default costs, seconds per image on PASCAL VOC (Bearman et al. 2016):
  {', '.join(f'{level} {cost}' for level, cost in VOC_COSTS.items())}
Points are one click per class; one click per object costs 23.3 (--cost points=23.3). A
table is a JSON object: {{"boxes": 38.1, "masks": {{"image": 18.5, "object": 79}}}}.
Written: <level>_<split>.json each, budget.json with the image ids, and budget.md.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('input', help='COCO or LVIS JSON with masks')
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument('--hours', type=float, help='the budget')
    budget.add_argument('--seconds', type=float, help='the budget')
    parser.add_argument('--out-dir', required=True, help='folder for the files')
    parser.add_argument(
        '--levels',
        nargs='+',
        choices=list(VOC_COSTS),
        help='levels to draw (default: all with a cost)',
    )
    parser.add_argument('--costs', metavar='FILE', help='cost table, JSON')
    parser.add_argument(
        '--cost',
        nargs='+',
        default=[],
        metavar='LEVEL=SECONDS',
        help='single costs, which go before those of the table',
    )
    parser.add_argument(
        '--labels',
        nargs='+',
        default=[],
        metavar='LEVEL=FILE',
        help='labels of the same images that people made; other levels are derived '
        'from the masks',
    )
    add_protocol_options(parser, seed='of the draw')
    add_run_options(parser)
    return parser.parse_args(argv)


def _level_and_file(text: str) -> tuple[str, str]:
    level, _, file = text.partition('=')
    if level not in VOC_COSTS or not file:
        raise ValueError(
            f'--labels is written LEVEL=FILE with a level of {[*VOC_COSTS]}; given '
            f'{text!r}'
        )
    return level, file


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, and print the table."""
    args = parse_args(argv)
    seconds = args.seconds if args.hours is None else 3600 * args.hours
    with running(args, 'annotations') as run:
        costs = {
            **VOC_COSTS,
            **(read_costs(args.costs) if args.costs else {}),
            **dict(map(parse_cost, args.cost)),
        }
        rows = sample_budget(
            args.input,
            args.out_dir,
            seconds,
            {level: costs[level] for level in args.levels or costs},
            protocol_of(args),
            seed=args.seed,
            run=run,
            given=dict(map(_level_and_file, args.labels)),
        )
    print(format_table(rows, seconds), end='')


if __name__ == '__main__':
    with user_errors():
        main()
