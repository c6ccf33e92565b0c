r"""Variants of one training, several seeds: the table of an ablation.

CONFIG is trained once for every variant and seed, ``--variant NAME KEY=VALUE ...`` says
what differs; the figures are those of its last validation. Everything finished is
kept, a killed training goes on: the same command continues, ``--plan`` says what is
left, ``--table`` only reads.

    python benchmarks/ablation_study.py configs/bestie/bestie_r18_points_synthetic.py \
        --root work_dirs/ablation_points --seeds 0 1 2 --variant full \
        --variant 'without refinement' model.refinement=None model.test_cfg.beta=0 \
        --variant 'without guidance' model.instance_guidance=False
    python benchmarks/ablation_study.py configs/wise/wise_efficientnet-lite0_small.py \
        --dataset animals.py --metrics segm_AP50 counting/MAE --variant 'weight .5' \
        model.localization_weight=0.5
"""

import argparse
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study_runs import REPOSITORY, SeedRuns, cell, study_arguments, trainings_left

from mmwsis.engine.user_errors import user_errors
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table
from mmwsis.visualization.curves import read_scalars

METRICS = ('segm_mAP', 'segm_mAP_50', 'segm_mAP_75')


class Run(SeedRuns):
    """One training.

    Args:
        args: Of the command line.
        seed: Of the training.
        variant: Its name.
        options: ``KEY=VALUE`` that make it.
    """

    def __init__(
        self, args: argparse.Namespace, seed: int, variant: str, options: Sequence[str]
    ) -> None:
        name = re.sub(r'[^\w.-]+', '_', variant)
        self.folder = args.root.resolve() / f'seed_{seed}' / name
        # Relative paths start where the study was started.
        super().__init__(Path.cwd(), seed, self.folder / 'log.txt')
        self.args, self.variant, self.options = args, variant, list(options)

    @property
    def figures(self) -> dict[str, Any] | None:
        """Options, metrics and seconds; None before it is finished."""
        return self.read(str(self.folder), 'result.json')

    def run(self) -> None:
        """Train, or go on with it, and note the last metrics."""
        self.folder.mkdir(parents=True, exist_ok=True)
        work_dir = self.folder / 'model'
        resume = (work_dir / 'last_checkpoint').is_file()
        dataset = self.args.dataset
        started = time.monotonic()
        self.tool(
            *('tools/train.py', REPOSITORY / self.args.config, '--work-dir', work_dir),
            *(['--dataset', Path(dataset).resolve()] if dataset else []),
            *(['--resume'] if resume else []),
            *('--cfg-options', f'randomness.seed={self.seed}'),
            *self.args.cfg_options,
            *self.options,
        )
        last = {key: points[-1][1] for key, points in read_scalars(work_dir).items()}
        result = dict(
            variant=self.variant,
            options=self.options,
            seed=self.seed,
            metrics={name: metric(last, name) for name in self.args.metrics},
            seconds=round(time.monotonic() - started),
        )
        atomic_write_json(self.folder / 'result.json', result, indent=1)


def metric(last: dict[str, float], name: str) -> float:
    """Find a metric by its name, with or without what stands before its slashes.

    Args:
        last: Last value of every curve of a training.
        name: Such as 'segm_mAP' or 'coco/segm_mAP'.

    Raises:
        ValueError: The training has measured no such thing.
    """
    found = [key for key in last if key == name or key.endswith(f'/{name}')]
    if not found:
        raise ValueError(f'no {name!r} was measured; there is {sorted(last)}')
    return last[found[0]]


def table(runs: Sequence[Run]) -> str:
    """Write the results as Markdown: mean over the seeds, and their range.

    Args:
        runs: Of the study.
    """
    found: dict[str, list[dict[str, Any]]] = {run.variant: [] for run in runs}
    for run in runs:
        if run.figures is not None:
            found[run.variant].append(run.figures)
    names = list(runs[0].args.metrics)
    cells = [
        [
            variant,
            *(cell(one['metrics'].get(name) for one in results) for name in names),
            len(results),
        ]
        for variant, results in found.items()
    ]
    return markdown_table(['variant', *names, 'seeds'], cells, text_columns=1)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = study_arguments(__doc__)
    parser.set_defaults(root=Path('work_dirs/ablation'))
    parser.add_argument('config', metavar='CONFIG', help='below the repository')
    parser.add_argument(
        '--variant',
        nargs='+',
        action='append',
        required=True,
        metavar=('NAME', 'KEY=VALUE'),
        help='what it is called and how it differs; once for each',
    )
    parser.add_argument('--dataset', help='dataset file, instead of that of CONFIG')
    parser.add_argument('--metrics', nargs='+', default=METRICS, metavar='NAME')
    parser.add_argument('--time-limit', type=float, metavar='SECONDS')
    parser.add_argument('--plan', action='store_true', help='say what is left, stop')
    parser.add_argument(
        *('--cfg-options', '-o'),
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='of all trainings',
    )
    args = parser.parse_args(argv)
    names = [name for name, *_ in args.variant]
    if len(set(names)) < len(names) or any('=' in name for name in names):
        parser.error(f'every --variant begins with a name of its own; got {names}')
    return args


def main() -> None:
    """Run what is missing and print the table."""
    args = parse_args()
    runs = [
        Run(args, seed, name, options)
        for seed in args.seeds
        for name, *options in args.variant
    ]
    left = trainings_left(runs, 'seconds')
    if args.plan:
        print('\n'.join(f'  seed {run.seed}, {run.variant}' for run in left))
        return
    end = time.monotonic() + args.time_limit if args.time_limit else None
    for run in left if not args.table else ():
        run.deadline = end
        run.run()
        print(f'seed {run.seed}, {run.variant}: {run.figures["metrics"]}', flush=True)
        atomic_write_text(args.root / 'results.md', f'{table(runs)}\n')
    print(f'\n{table(runs)}')


if __name__ == '__main__':
    with user_errors('The same command continues.'):
        main()
