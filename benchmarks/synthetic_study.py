"""EXITS, MAL and filled boxes on the synthetic scenes, several seeds, side by side.

Each seed is one directory below ``--root``, in which the pipeline of EXITS runs as a
user would run it, and MAL's labeler after it. Labelers are measured on the scenes they
trained on and on held-out scenes that no stage has seen, the final models on the
validation scenes. Everything finished is kept: the same command continues a killed
study, ``--table`` only reads.

    python benchmarks/synthetic_study.py --seeds 0 1 2 --root work_dirs/study
    python benchmarks/synthetic_study.py --seeds 0 --ablations --root work_dirs/study
    python benchmarks/synthetic_study.py --seeds 0 1 2 --root work_dirs/study --table
"""

import argparse
from pathlib import Path

from study_runs import (
    HELD_OUT,
    REPOSITORY,
    SeedRuns,
    cell,
    retention_cells,
    study_arguments,
)

from mmwsis.engine.user_errors import user_errors

PIPELINE = 'configs/exits/pipeline_synthetic.py'
EXITS = 'configs/exits/labeler_vit-tiny_synthetic.py'
MAL = 'configs/mal/labeler_vit-tiny_synthetic.py'
WEAK = 'weak/extreme_points_train.json'
# Labelers beside that of the pipeline: config and options; the seed, the start of the
# encoder and the similarity extractor are the same, and so are the boxes.
BASELINE = {'MAL': (MAL, ())}
ABLATIONS = {
    'initial points only': (
        EXITS,
        ('model.retrieval.tau_fg=inf', 'model.retrieval.tau_bg=-inf'),
    ),
    'no point dropout': (EXITS, ('model.retrieval.point_dropout=0.0',)),
}


class Study(SeedRuns):
    """The runs of EXITS and MAL of one seed."""

    def run(self, ablations: bool) -> None:
        """Run the pipeline of EXITS, the other labelers, and all on held-out scenes.

        Args:
            ablations: Train the variants of EXITS too.
        """
        self.pipeline(PIPELINE)
        self.draw_held_out()
        folder = Path('work_dirs/labeler_vit-tiny_synthetic')
        self.measure('EXITS', EXITS, folder, HELD_OUT, 'held_out')
        for name, variant in {**BASELINE, **(ABLATIONS if ablations else {})}.items():
            self.run_variant(name, *variant)

    def run_variant(self, name: str, config: str, options: tuple[str, ...]) -> None:
        """Train a labeler beside the pipeline's and measure it.

        Args:
            name: Row of the table.
            config: Config of the labeler, below the repository.
            options: Its overrides.
        """
        folder = Path('work_dirs/variants', name.replace(' ', '_'))
        if not (self.root / folder / 'finished').is_file():
            self.tool(
                *('tools/train.py', REPOSITORY / config, '--work-dir', folder),
                *('--cfg-options', f'randomness.seed={self.seed}', *options),
            )
            (self.root / folder / 'finished').touch()
        self.measure(name, config, folder, Path('data/synthetic'), 'train')
        self.measure(name, config, folder, HELD_OUT, 'held_out')

    def measure(
        self, name: str, config: str, folder: Path, data: Path, split: str
    ) -> None:
        """Export pseudo labels of a dataset and report their quality.

        Args:
            name: Row of the table.
            config: Config of the labeler, below the repository.
            folder: Its work dir.
            data: Scenes, relative to the root.
            split: Name of the result.
        """
        out = Path('quality', split, name.replace(' ', '_'))
        if (self.root / out / 'quality.json').is_file():
            return
        checkpoint = self.checkpoint(folder)
        labels = out / 'pseudo_labels.json'
        dataset = 'pseudo_label_dataloader.dataset'
        self.tool(
            *('tools/generate_pseudo_labels.py', REPOSITORY / config, checkpoint),
            *('--out', labels, '--cfg-options'),
            *(f'{dataset}.data_root={data}', f'{dataset}.ann_file={WEAK}'),
        )
        script = 'tools/analysis_tools/pseudo_label_quality.py'
        truth = data / 'annotations/instances_train.json'
        self.tool(script, labels, truth, '--out-dir', out)

    def iou(self, name: str, split: str, group: str) -> float | None:
        """Return a class-mean IoU.

        Args:
            name: Row of the table.
            split: 'train' or 'held_out'.
            group: 'all' or 'separated'.
        """
        row = 'EXITS' if name == 'filled boxes' else name
        parts = ('quality', split, row.replace(' ', '_'))
        if split == 'train' and row == 'EXITS':
            parts = ('work_dirs/pipelines/exits_synthetic', 'quality', 'quality')
        report = self.read(*parts, 'quality.json')
        if report is None:
            return None
        boxes = name == 'filled boxes'
        return report['filled_boxes' if boxes else 'class_mean_iou'][group]

    def final(self, row: str) -> dict[str, float] | None:
        """Return the metrics of a final model: 'EXITS' or 'full masks'."""
        stage = 'full_test' if row == 'full masks' else 'final_test'
        folder = 'work_dirs/pipelines/exits_synthetic/metrics'
        return self.read(folder, f'{stage}.json')

    def mask_ap(self, row: str) -> float | None:
        """Return the mask AP of a final model: 'EXITS' or 'full masks'."""
        return (self.final(row) or {}).get('coco/segm_mAP')


def label_table(studies: list[Study]) -> str:
    """Quality of the pseudo labels, one row a labeler."""
    columns = [(s, g) for s in ('train', 'held_out') for g in ('all', 'separated')]
    lines = [
        '| class-mean IoU | training scenes, all | separated '
        '| held-out scenes, all | separated |',
        '| --- | --- | --- | --- | --- |',
    ]
    for name in ('filled boxes', *BASELINE, 'EXITS', *ABLATIONS):
        cells = [cell(s.iou(name, *column) for s in studies) for column in columns]
        if any(cells):
            lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def final_table(studies: list[Study]) -> str:
    """Final models, with their retention."""
    lines = [
        '| SOLOv2 R-18 on | mask AP | AP50 | AP75 | retention | baseline seeds |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for row in ('EXITS', 'full masks'):
        cells = [
            cell(
                (study.final(row) or {}).get(f'coco/segm_mAP{key}') for study in studies
            )
            for key in ('', '_50', '_75')
        ]
        full = [] if row == 'full masks' else [s.mask_ap('full masks') for s in studies]
        cells += retention_cells([s.mask_ap(row) for s in studies], full)
        if cells[0]:
            lines.append(f'| {row} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = study_arguments(__doc__)
    parser.add_argument('--ablations', action='store_true', help='variants of EXITS')
    return parser.parse_args()


def main() -> None:
    """Run what is missing and print the tables."""
    args = parse_args()
    studies = [Study(args.root / f'seed_{seed}', seed) for seed in args.seeds]
    for study in studies if not args.table else ():
        study.run(args.ablations)
    print(f'\n{label_table(studies)}\n\n{final_table(studies)}')


if __name__ == '__main__':
    with user_errors('The same command continues.'):
        main()
