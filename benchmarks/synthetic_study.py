"""EXITS, MAL and filled boxes on the synthetic scenes, several seeds, side by side.

Each seed is one directory below ``--root``, in which the two pipelines run as a user
would run them. Labelers are measured on the scenes they trained on and on held-out
scenes that no stage has seen, the final models on the validation scenes. Everything
finished is kept: the same command continues a killed study, ``--table`` only reads.

    python benchmarks/synthetic_study.py --seeds 0 1 2 --root work_dirs/study
    python benchmarks/synthetic_study.py --seeds 0 --ablations --root work_dirs/study
    python benchmarks/synthetic_study.py --seeds 0 1 2 --root work_dirs/study --table
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
LABELERS = {
    'EXITS': 'configs/exits/labeler_vit-tiny_synthetic.py',
    'MAL': 'configs/mal/labeler_vit-tiny_synthetic.py',
}
PIPELINES = {
    'EXITS': 'configs/exits/pipeline_synthetic.py',
    'MAL': 'configs/mal/pipeline_synthetic.py',
}
WEAK = {'EXITS': 'extreme_points', 'MAL': 'boxes'}
# Variants of the EXITS labeler: everything else, seed and extractor included, is equal.
ABLATIONS = {
    'initial points only': ('retrieval.tau_fg=inf', 'retrieval.tau_bg=-inf'),
    'no point dropout': ('retrieval.point_dropout=0.0',),
}
HELD_OUT = Path('data/held_out')
HELD_OUT_SEED = 1000  # the pipelines' scenes have seed 0


class Study:
    """The runs of one seed.

    Args:
        root: Directory of this seed; relative paths of configs start here.
        seed: Seed of every training.
    """

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root.resolve()
        self.seed = seed

    def tool(self, script: str, *arguments: str | Path) -> None:
        """Run a tool of the repository in this seed's directory.

        Args:
            script: Path below the repository.
            *arguments: Of its command line.

        Raises:
            SystemExit: It failed.
        """
        words = [sys.executable, str(REPOSITORY / script), *map(str, arguments)]
        print(f'[seed {self.seed}]', *words[1:], flush=True)
        paths = [str(REPOSITORY), os.environ.get('PYTHONPATH', '')]
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}
        if subprocess.run(words, cwd=self.root, env=environment).returncode:
            raise SystemExit(f'{script} failed; the same command continues.')

    def run(self, final_of_mal: bool) -> None:
        """Run both pipelines, and both labelers on the held-out scenes.

        Args:
            final_of_mal: Train a final model on MAL's pseudo labels too.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        for method, pipeline in PIPELINES.items():
            arguments = ['--root', self.root, '--seed', self.seed, '--ignore-code']
            if method == 'MAL' and not final_of_mal:
                arguments += ['--until', 'quality']
            self.tool('tools/run_pipeline.py', REPOSITORY / pipeline, *arguments)
        if not (self.root / HELD_OUT / 'dataset.json').is_file():
            script = 'tools/dataset_converters/make_synthetic.py'
            split = ('--train', '400', '--val', '1', '--seed', HELD_OUT_SEED)
            self.tool(script, '--out', HELD_OUT, *split)
        self.hold_out('EXITS', 'EXITS', Path('work_dirs/labeler_vit-tiny_synthetic'))
        self.hold_out('MAL', 'MAL', Path('work_dirs/mal/labeler_vit-tiny_synthetic'))

    def run_ablations(self) -> None:
        """Train, export and measure every variant of EXITS."""
        for name, options in ABLATIONS.items():
            folder = Path('work_dirs/ablations', name.replace(' ', '_'))
            if not (self.root / folder / 'last_checkpoint').is_file():
                self.tool(
                    *('tools/train.py', REPOSITORY / LABELERS['EXITS']),
                    *('--work-dir', folder, '--cfg-options'),
                    f'randomness.seed={self.seed}',
                    *(f'model.{option}' for option in options),
                )
            self.hold_out(name, 'EXITS', folder)
            self.measure(name, 'EXITS', folder, Path('data/synthetic'), 'train')

    def hold_out(self, name: str, method: str, folder: Path) -> None:
        """Measure a labeler on the held-out scenes."""
        self.measure(name, method, folder, HELD_OUT, 'held_out')

    def measure(
        self, name: str, method: str, folder: Path, data: Path, split: str
    ) -> None:
        """Export pseudo labels of a data set and report their quality.

        Args:
            name: Row of the table.
            method: 'EXITS' or 'MAL'.
            folder: Work dir of the labeler.
            data: Scenes, relative to the root.
            split: Name of the result.
        """
        out = Path('quality', split, name.replace(' ', '_'))
        if (self.root / out / 'quality.json').is_file():
            return
        pointer = self.root / folder / 'last_checkpoint'
        checkpoint = folder / Path(pointer.read_text().strip()).name
        labels = out / 'pseudo_labels.json'
        dataset = 'pseudo_label_dataloader.dataset'
        self.tool(
            *('tools/generate_pseudo_labels.py', REPOSITORY / LABELERS[method]),
            *(checkpoint, '--out', labels, '--cfg-options'),
            f'{dataset}.data_root={data}',
            f'{dataset}.ann_file=weak/{WEAK[method]}_train.json',
        )
        script = 'tools/analysis_tools/pseudo_label_quality.py'
        truth = data / 'annotations/instances_train.json'
        self.tool(script, labels, truth, '--out-dir', out)

    def read(self, *parts: str) -> dict[str, Any] | None:
        """Return a JSON file below the root, or None where there is none."""
        file = self.root.joinpath(*parts)
        return json.loads(file.read_text()) if file.is_file() else None

    def iou(self, name: str, split: str, group: str) -> float | None:
        """Return a class-mean IoU.

        Args:
            name: Row of the table.
            split: 'train' or 'held_out'.
            group: 'all' or 'separated'.
        """
        row = 'EXITS' if name == 'filled boxes' else name
        parts = ('quality', split, row.replace(' ', '_'))
        if split == 'train' and row in PIPELINES:
            method = row.lower()
            parts = (f'work_dirs/pipelines/{method}_synthetic', 'quality', 'quality')
        report = self.read(*parts, 'quality.json')
        if report is None:
            return None
        boxes = name == 'filled boxes'
        return report['filled_boxes' if boxes else 'class_mean_iou'][group]

    def final(self, row: str) -> dict[str, float] | None:
        """Return the metrics of a final model: 'EXITS', 'MAL' or 'full masks'."""
        method = 'mal' if row == 'MAL' else 'exits'
        stage = 'full_test' if row == 'full masks' else 'final_test'
        folder = f'work_dirs/pipelines/{method}_synthetic/metrics'
        return self.read(folder, f'{stage}.json')

    def retention(self, row: str) -> float | None:
        """Return the mask AP of a final model over that of full masks."""
        weak, full = self.final(row), self.final('full masks')
        if weak is None or full is None:
            return None
        return weak['coco/segm_mAP'] / full['coco/segm_mAP']


def cell(values: Iterable[float | None]) -> str:
    """Mean over the seeds, with the range behind it where there are several."""
    values = [value for value in values if value is not None]
    if not values:
        return ''
    text = f'{mean(values):.3f}'
    several = len(values) > 1
    return f'{text} ({min(values):.3f}–{max(values):.3f})' if several else text


def label_table(studies: list[Study]) -> str:
    """Quality of the pseudo labels, one row a labeler."""
    columns = [(s, g) for s in ('train', 'held_out') for g in ('all', 'separated')]
    lines = [
        '| class-mean IoU | training scenes, all | separated '
        '| held-out scenes, all | separated |',
        '| --- | --- | --- | --- | --- |',
    ]
    for name in ('filled boxes', 'MAL', 'EXITS', *ABLATIONS):
        cells = [cell(s.iou(name, *column) for s in studies) for column in columns]
        if any(cells):
            lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def final_table(studies: list[Study]) -> str:
    """Final models, with their retention."""
    lines = [
        '| SOLOv2 R-18 trained on | mask AP | AP50 | AP75 | retention |',
        '| --- | --- | --- | --- | --- |',
    ]
    for row in ('MAL', 'EXITS', 'full masks'):
        cells = [
            cell(
                (study.final(row) or {}).get(f'coco/segm_mAP{key}') for study in studies
            )
            for key in ('', '_50', '_75')
        ]
        cells.append(cell(study.retention(row) for study in studies))
        if cells[0]:
            lines.append(f'| {row} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--root', type=Path, default=Path('work_dirs/study'))
    parser.add_argument('--ablations', action='store_true', help='variants of EXITS')
    parser.add_argument(
        '--final-of-mal', action='store_true', help='a final model for MAL too'
    )
    parser.add_argument('--table', action='store_true', help='print the tables only')
    return parser.parse_args()


def main() -> None:
    """Run what is missing and print the tables."""
    args = parse_args()
    studies = [Study(args.root / f'seed_{seed}', seed) for seed in args.seeds]
    for study in studies if not args.table else ():
        study.run(args.final_of_mal)
        if args.ablations:
            study.run_ablations()
    print(f'\n{label_table(studies)}\n\n{final_table(studies)}')


if __name__ == '__main__':
    main()
