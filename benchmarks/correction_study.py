r"""Final AP against minutes of correction: the worst labels first, or at random.

DATASET is a dataset file with masks of the training and of the validation images,
LABELS are pseudo labels of its training images that keep the ids of the masks; a name
with ``{seed}`` stands for one file a seed. For every seed, order and number of masks
the ground truth of so many labels takes their place
(``tools/dataset_converters/apply_corrections.py --simulate``), and the final model is
trained on the mixed labels; no correction, and masks alone, are the ends of the curve.
Everything finished is kept, a killed training goes on: the same command continues,
``--plan`` says what is left, ``--table`` only reads.

    python benchmarks/correction_study.py animals.py 'labels/exits{seed}.json' \
        --masks 50 100 200 400 --seeds 0 1 2 --root work_dirs/corrections
    python benchmarks/correction_study.py animals.py exits.json --masks 100 --seeds 0
    python benchmarks/correction_study.py animals.py 'labels/exits{seed}.json' \
        --masks 50 100 200 400 --root work_dirs/corrections --table
"""

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from study_runs import REPOSITORY, SeedRuns, cell, study_arguments, trainings_left

from mmwsis.dataset_converters.correction_report import SECONDS_PER_MASK
from mmwsis.dataset_converters.review_order import ORDERS
from mmwsis.engine.data_spec import load_data_spec
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table
from mmwsis.visualization.curves import read_scalars, save_figure

CONFIG = 'configs/final_models/solov2_efficientnet-lite0_small.py'
METRICS = {'AP': 'segm_mAP', 'AP50': 'segm_mAP_50', 'AP75': 'segm_mAP_75'}
# The ends of the curve, which no order changes.
NOTHING, EVERYTHING = 'pseudo labels', 'full masks'
COLOURS = {'worst': 'tab:orange', 'random': 'tab:blue'}


class Run(SeedRuns):
    """A final model on labels of which some are corrected.

    Args:
        args: Of the command line.
        seed: Of its training and of the random order.
        order: 'worst', 'random', or one of the ends.
        count: How many masks are drawn.
    """

    def __init__(
        self, args: argparse.Namespace, seed: int, order: str, count: int = 0
    ) -> None:
        name = f'{order}_{count}' if order in ORDERS else order.replace(' ', '_')
        self.shared = args.root.resolve() / f'seed_{seed}'
        self.folder = self.shared / name
        # Relative paths of the dataset start where the study was started.
        super().__init__(Path.cwd(), seed, self.folder / 'log.txt')
        self.args, self.order, self.count = args, order, count
        self.labels = Path(args.labels.replace('{seed}', str(seed))).resolve()

    @property
    def name(self) -> str:
        """What it is called for people."""
        masks = f', {self.count} masks' if self.count else ''
        return f'seed {self.seed}, {self.order}{masks}'

    @property
    def figures(self) -> dict[str, Any] | None:
        """Metrics and minutes; None before it is finished."""
        return self.read(str(self.folder), 'result.json')

    def run(self, spec: dict[str, Any]) -> None:
        """Make the labels, train and note the result; skip what is finished.

        Args:
            spec: The dataset, of :func:`~mmwsis.engine.data_spec.load_data_spec`.
        """
        if self.figures is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        root, part = Path(spec['data_root']).resolve(), spec['train']
        truth, images = root / part['ann_file'], root / part['img']
        labels, summary = self._label(truth, images)
        started = time.monotonic()
        self._train(labels)
        curves = read_scalars(self.folder / 'model')
        metrics = {
            name: points[-1][1]
            for key, points in curves.items()
            for name, metric in METRICS.items()
            if key.rpartition('/')[2] == metric
        }
        result = dict(
            # A model that finds nothing in any image has no metrics.
            {**dict.fromkeys(METRICS, 0.0), **metrics},
            seed=self.seed,
            order=self.order,
            masks=summary.get('masks_drawn', 0),
            minutes=summary.get('minutes', 0.0),
            replaced_iou=summary.get('mean_iou'),
            labels=labels.name,
            training_seconds=round(time.monotonic() - started),
        )
        atomic_write_json(self.folder / 'result.json', result, indent=1)

    def _label(self, truth: Path, images: Path) -> tuple[Path, dict[str, Any]]:
        """The labels to train on, and what was corrected in them."""
        if self.order == EVERYTHING:
            return truth, {}
        if self.order == NOTHING:
            return self.labels, {}
        words: list[str | int | float | Path] = ['--order', self.order]
        if self.order == 'worst':
            words += ['--review', self._review(images)]
        out = self.folder / 'mixed.json'
        self.tool(
            'tools/dataset_converters/apply_corrections.py',
            *(self.labels, '--simulate', truth, '--out', out, '--overwrite', *words),
            *('--worst', self.count, '--seed', self.seed),
            *('--seconds-per-mask', self.args.seconds_per_mask),
        )
        return out, self.read(str(out.with_suffix('.corrections.json'))) or {}

    def _review(self, images: Path) -> Path:
        """The review list of the seed's labels, made once."""
        if self.args.review is not None:
            return Path(self.args.review.replace('{seed}', str(self.seed))).resolve()
        folder = self.shared / 'review'
        if not (folder / 'review.csv').is_file():
            script = 'tools/analysis_tools/review_list.py'
            options = '--out-dir', folder, '--page', 0, '--workers', self.args.workers
            self.tool(script, self.labels, images, *options)
        return folder / 'review.csv'

    def _train(self, labels: Path) -> None:
        work_dir = self.folder / 'model'
        resume = (work_dir / 'last_checkpoint').is_file()
        self.tool(
            *('tools/train.py', REPOSITORY / self.args.config, '--work-dir', work_dir),
            *('--dataset', Path(self.args.dataset).resolve(), '--labels', labels),
            *(['--resume'] if resume else []),
            *('--cfg-options', f'randomness.seed={self.seed}', *self.args.cfg_options),
        )


def all_runs(args: argparse.Namespace) -> list[Run]:
    """All trainings of the study: the ends of a seed first, then by number of masks.

    Args:
        args: Of the command line.
    """
    runs = []
    for seed in args.seeds:
        runs += [Run(args, seed, NOTHING), Run(args, seed, EVERYTHING)]
        for count in sorted(args.masks):
            runs += [Run(args, seed, order, count) for order in args.orders]
    return runs


def rows_of(runs: Iterable[Run]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Finished results, those that differ in their seed alone together.

    Args:
        runs: Of the study.
    """
    rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for run in runs:
        if run.figures is not None:
            rows.setdefault((run.order, run.count), []).append(run.figures)
    return rows


def table(runs: Sequence[Run]) -> str:
    """Write the results as Markdown: mean over the seeds, and their range.

    Args:
        runs: Of the study.
    """
    header = ['labels', 'masks drawn', 'minutes', 'IoU of what they replace']
    header += [*METRICS, 'seeds']
    rows = rows_of(runs)
    cells = [
        [
            *(order, count or '–', f'{mean(one["minutes"] for one in found):.0f}'),
            cell(one['replaced_iou'] for one in found) or '–',
            *(cell(one.get(name) for one in found) for name in METRICS),
            len(found),
        ]
        for (order, count), found in sorted(
            rows.items(), key=lambda row: (row[0][0] not in ORDERS, row[0])
        )
    ]
    return markdown_table(header, cells, text_columns=1)


def draw(runs: Sequence[Run], out_file: Path) -> Path:
    """Draw AP against minutes: a point a seed, the mean, and both ends as bands.

    Args:
        runs: Of the study; some must be finished.
        out_file: Image file; the name's ending says the format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = rows_of(runs)
    figure = Figure(figsize=(6.4, 4.2), layout='constrained')
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for end, colour in ((NOTHING, 'tab:grey'), (EVERYTHING, 'tab:green')):
        values = [100 * one['AP'] for one in rows.get((end, 0), [])]
        if values:
            axis.axhline(mean(values), color=colour, linestyle='--', label=end)
            axis.axhspan(min(values), max(values), color=colour, alpha=0.15, lw=0)
    start = rows.get((NOTHING, 0), [])
    for order, colour in COLOURS.items():
        points = {0.0: start} if start else {}
        own = [found for (name, _), found in rows.items() if name == order]
        points.update({found[0]['minutes']: found for found in own})
        if not own:
            continue
        minutes = sorted(points)
        means = [mean(100 * one['AP'] for one in points[x]) for x in minutes]
        label = 'worst first' if order == 'worst' else 'random order'
        axis.plot(minutes, means, color=colour, label=label)
        for x in minutes:
            seeds = [100 * one['AP'] for one in points[x]]
            axis.plot([x] * len(seeds), seeds, 'o', color=colour, ms=4, alpha=0.7)
    axis.set_xlabel('minutes of correction')
    axis.set_ylabel('mask AP of the final model')
    axis.grid(alpha=0.3)
    axis.legend()
    return save_figure(figure, out_file)


def write_results(runs: Sequence[Run], folder: Path) -> str:
    """Write what is known: ``results.md``, ``results.json`` and ``corrections.png``.

    Args:
        runs: Of the study.
        folder: Where to.

    Returns:
        The table.
    """
    found = [run.figures for run in runs if run.figures is not None]
    text = table(runs)
    if found:
        atomic_write_json(folder / 'results.json', found, indent=1)
        atomic_write_text(folder / 'results.md', f'{text}\n')
        draw(runs, folder / 'corrections.png')
    return text


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = study_arguments(__doc__)
    parser.set_defaults(root=Path('work_dirs/corrections'))
    parser.add_argument('dataset', metavar='DATASET', help='dataset file, with masks')
    parser.add_argument('labels', metavar='LABELS', help='pseudo labels, COCO JSON')
    parser.add_argument('--config', default=CONFIG, help='final model')
    parser.add_argument(
        '--masks',
        type=int,
        nargs='+',
        default=[50, 100, 200, 400],
        metavar='N',
        help='how many are drawn (default: 50 100 200 400)',
    )
    parser.add_argument('--orders', nargs='+', default=list(ORDERS), choices=ORDERS)
    parser.add_argument(
        '--review', metavar='CSV', help='review list, instead of one made here'
    )
    parser.add_argument(
        '--seconds-per-mask', type=float, default=SECONDS_PER_MASK, metavar='SECONDS'
    )
    parser.add_argument('--workers', type=int, default=1, help='of the review list')
    parser.add_argument('--time-limit', type=float, metavar='SECONDS')
    parser.add_argument('--plan', action='store_true', help='say what is left, stop')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='of trainings'
    )
    return parser.parse_args(argv)


def main() -> None:
    """Run what is missing and print the table."""
    args = parse_args()
    runs = all_runs(args)
    left = trainings_left(runs, 'training_seconds')
    if args.plan:
        print('\n'.join(f'  {run.name}' for run in left))
        return
    if not args.table:
        spec = load_data_spec(Path(args.dataset).resolve())
        missing = [run.labels for run in left if not run.labels.is_file()]
        if missing:
            raise SystemExit(f'{missing[0]} does not exist; it has the pseudo labels.')
        end = time.monotonic() + args.time_limit if args.time_limit else None
        for run in left:
            run.deadline = end
            run.run(spec)
            print(f'{run.name}: AP {run.figures["AP"]:.3f}', flush=True)
            write_results(runs, args.root)
    print(f'\n{write_results(runs, args.root)}')


if __name__ == '__main__':
    main()
