"""EXITS, MAL and IRNet on photographs, several seeds: labels, maps, final models.

DATASET is a dataset file with masks of the training and of the validation images
(docs/custom_dataset.md); all weak labels are derived from the masks. Each method is a
chain for every seed, and so is the fully-supervised baseline that they share. A chain
has a folder of its own below ``--root``, where the method's small pipeline runs as a
user would run it; its labeler labels the validation images, too, given their weak
labels. ``--jobs`` is how many chains run at once. A figure is printed as soon as it is
known; everything finished is kept: the same command continues a killed study,
``--table`` only reads.

    python benchmarks/photograph_study.py animals.py --root work_dirs/animals
    python benchmarks/photograph_study.py animals.py --seeds 0 --jobs 5
    python benchmarks/photograph_study.py animals.py --root work_dirs/animals --table
"""

import argparse
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from study_runs import SeedRuns, cell, retention_cells, study_arguments

from mmwsis.engine.data_spec import load_data_spec
from mmwsis.engine.user_errors import user_errors
from mmwsis.pipelines.linked_data import link_files, write_data_spec
from mmwsis.utils.markdown import markdown_table

PIPELINES = {
    'EXITS': 'configs/exits/pipeline_small.py',
    'MAL': 'configs/mal/pipeline_small.py',
    'IRNet': 'configs/irnet/pipeline_small.py',
}
# The baseline, which all pipelines train alike: the same final model on masks.
FULL = 'full masks'
# The stages that label images and measure the labels.
LABELING = {
    'EXITS': ('weak_labels', 'pseudo_labels', 'quality'),
    'MAL': ('weak_labels', 'pseudo_labels', 'quality'),
    'IRNet': (
        *('weak_labels', 'class_maps', 'semantic_maps', 'pseudo_labels', 'quality'),
        *('cam_components', 'cam_quality'),
    ),
}
LEVELS = ('image_tags', 'boxes', 'extreme_points')
# Maps of IRNet that no stage measures -> their folder below the data root.
MAPS = {
    'class_maps': 'class_maps/irnet',
    'semantic_maps': 'pseudo_labels/irnet_semantic',
}
SPLITS = ('train', 'val')
# Figure -> the quality report that it stands in, and its place there.
LABEL_FIGURES = {
    'filled boxes': ('quality/quality', 'filled_boxes', 'all'),
    'labels': ('quality/quality', 'class_mean_iou', 'all'),
}
TAG_FIGURES = {
    'CAM mIoU': ('quality/class_maps', 'mIoU_best'),
    'semantic mIoU': ('quality/semantic_maps', 'mIoU'),
    'CAM components AP50': ('quality/cam_quality', 'average_precision', 'AP50'),
    'labels AP50': ('quality/quality', 'average_precision', 'AP50'),
}
METRICS = {'AP': 'segm_mAP', 'AP50': 'segm_mAP_50', 'AP75': 'segm_mAP_75'}


class Chain(SeedRuns):
    """A method, or a fully-supervised baseline, with one seed.

    Args:
        root: Directory of the study.
        seed: Seed of every training.
        name: Of the method, or 'full masks'.
        options: Further ones of the pipelines.
    """

    def __init__(
        self, root: Path, seed: int, name: str, options: tuple[str, ...] = ()
    ) -> None:
        folder = root.resolve() / f'seed_{seed}' / name.replace(' ', '_').lower()
        super().__init__(folder, seed, log=folder / 'log.txt')
        self.name, self.options = name, options
        self.config = PIPELINES[name if name != FULL else 'EXITS']

    def run(self, spec: dict[str, Any]) -> None:
        """Run what is missing.

        Args:
            spec: The dataset, of :func:`~mmwsis.engine.data_spec.load_data_spec`.
        """
        self._link_data(spec)
        if self.name == FULL:
            self._pipeline('train', '--only', 'full_supervision', 'full_test')
            return
        self._pipeline('train', '--until', 'quality')
        with ThreadPoolExecutor(1) as pool:  # meanwhile
            final = pool.submit(self._pipeline, 'train', '--until', 'final_test')
            self._pipeline('val', '--only', *LABELING[self.name])
            for split in SPLITS if self.name == 'IRNet' else ():
                self._measure_maps(split)
        final.result()

    def _link_data(self, spec: dict[str, Any]) -> None:
        """Make a data root of each split that only this chain writes to.

        In the dataset file of a split its images are the training images: the labeler
        makes pseudo labels of those.
        """
        known = {key: spec[key] for key in ('name', 'classes', 'image_scale')}
        weak = {level: f'weak/{level}.json' for level in LEVELS}
        for split in SPLITS:
            names = {'images': 'img', 'instances.json': 'ann_file'}
            link_files(
                self.root / 'data' / split,
                {
                    name: Path(spec['data_root'], spec[split][key])
                    for name, key in names.items()
                },
            )
            own = dict(known, data_root=f'data/{split}', train=_part('', weak=weak))
            if split == 'train':
                own['val'] = _part(f'{self.root}/data/val/')
            write_data_spec(self.root / f'{split}.py', own)

    def _pipeline(self, split: str, *options: str) -> None:
        """Run the method's pipeline on a split; its records are in ``split``."""
        dataset = ('--dataset', self.root / f'{split}.py', '--work-dir', split)
        self.pipeline(self.config, *dataset, *options, *self.options)

    def _measure_maps(self, split: str) -> None:
        for name, folder in MAPS.items():
            out = Path(split, 'quality', name)
            if not (self.root / out / 'quality.json').is_file():
                self.tool(
                    'tools/analysis_tools/pseudo_label_quality.py',
                    Path('data', split, folder),
                    Path('data', split, 'instances.json'),
                    *('--out-dir', out),
                )

    def figures(self) -> dict[tuple[str, str], float]:
        """Read what is known.

        Returns:
            (Figure, split) -> fraction, from 0 to 1.
        """
        found = {}
        wanted = TAG_FIGURES if self.name == 'IRNet' else LABEL_FIGURES
        for split in SPLITS if self.name != FULL else ():
            for name, (folder, *keys) in wanted.items():
                value: Any = self.read(split, folder, 'quality.json')
                for key in keys:
                    value = value and value.get(key)
                found[name, split] = value
        stage = 'full_test' if self.name == FULL else 'final_test'
        metrics = self.read('train', 'metrics', f'{stage}.json') or {}
        for key, value in metrics.items():
            for name, metric in METRICS.items():
                if key.rpartition('/')[2] == metric:
                    found[name, 'val'] = value
        return {key: value for key, value in found.items() if value is not None}


def _part(folder: str, **further: Any) -> dict[str, Any]:
    return dict(img=f'{folder}images', ann_file=f'{folder}instances.json', **further)


def run_all(
    chains: list[Chain], spec: dict[str, Any], jobs: int, seconds: float | None = None
) -> bool:
    """Run chains beside each other; print every figure when it is there.

    Args:
        chains: In the order in which they start.
        spec: The dataset.
        jobs: How many at once.
        seconds: After which what still runs is stopped. Defaults to None, never.

    Returns:
        Whether all went well.
    """
    for chain in chains:
        chain.deadline = None if seconds is None else time.monotonic() + seconds
    with ThreadPoolExecutor(jobs) as pool:
        runs = {pool.submit(chain.run, spec): chain for chain in chains}
        try:
            _watch(runs)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return all(run.exception() is None for run in runs)


def _watch(runs: dict[Future, Chain]) -> None:
    """Print how runs end, and their figures, until all have."""
    said: set[str] = set()
    waiting = set(runs)
    while waiting:
        time.sleep(2)
        ended = {run for run in waiting if run.done()}
        for chain in runs.values():
            for (name, split), value in chain.figures().items():
                line = f'seed {chain.seed}, {chain.name}: {name}, {split}'
                if line not in said:
                    print(f'{line}: {value:.3f}', flush=True)
                    said.add(line)
        for run in ended:
            chain, error = runs[run], run.exception()
            what = f'FAILED: {error} Its log: {chain.log}' if error else 'done'
            print(f'seed {chain.seed}, {chain.name}: {what}', flush=True)
        waiting -= ended


def tables(chains: Iterable[Chain]) -> str:
    """Write all figures as Markdown, mean over the seeds and range.

    Args:
        chains: All of the study.
    """
    found: dict[tuple[str, str, str], list[float]] = {}
    for chain in chains:
        for key, value in chain.figures().items():
            found.setdefault((chain.name, *key), []).append(value)

    def cells(chain: str, name: str, columns: Iterable[str] = SPLITS) -> list[str]:
        return [cell(found.get((chain, name, column), [])) for column in columns]

    header = ['', 'training images', 'validation images']
    labels = [['filled boxes', *cells('EXITS', 'filled boxes')]]
    labels += [[name, *cells(name, 'labels')] for name in ('MAL', 'EXITS')]
    maps = [[name, *cells('IRNet', name)] for name in TAG_FIGURES]
    finals = []
    full = found.get((FULL, 'AP', 'val'), [])
    for name in (*PIPELINES, FULL):
        row = [cells(name, metric, ['val'])[0] for metric in METRICS]
        weak = found.get((name, 'AP', 'val'), []) if name != FULL else []
        finals.append([name, *row, *retention_cells(weak, full)])
    columns = ['SOLOv2 trained on', *METRICS, 'retention', 'baseline seeds']
    parts = [
        markdown_table(['class-mean IoU of labels', *header[1:]], labels),
        markdown_table(['IRNet', *header[1:]], maps),
        markdown_table(columns, finals),
    ]
    return '\n\n'.join(parts)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = study_arguments(__doc__)
    parser.add_argument('dataset', metavar='DATASET', help='dataset file, with masks')
    parser.add_argument('--jobs', type=int, default=1, help='chains at once')
    parser.add_argument(
        '--time-limit', type=float, metavar='SECONDS', help='stop what then still runs'
    )
    parser.add_argument('--only', nargs='+', default=(), choices=(*PIPELINES, FULL))
    parser.add_argument('--fast', action='store_true', help='a try of two iterations')
    return parser.parse_args()


def main() -> int:
    """Run what is missing and print the tables; return the exit code."""
    args = parse_args()
    options = ('--fast',) if args.fast else ()
    chains = [
        Chain(args.root, seed, name, options)
        for name in (*PIPELINES, FULL)
        for seed in args.seeds
        if not args.only or name in args.only
    ]
    well = args.table or run_all(
        *(chains, load_data_spec(args.dataset), args.jobs, args.time_limit)
    )
    print(f'\n{tables(chains)}')
    return 0 if well else 1


if __name__ == '__main__':
    with user_errors('The same command continues.'):
        raise SystemExit(main())
