"""IRNet on the synthetic scenes, several seeds: class maps, pseudo labels, final model.

Each seed is one directory below ``--root``, in which the pipeline of IRNet runs as a
user would run it. Class maps and pseudo labels are measured on the scenes that they
were made for; then both labelers run on the validation scenes, given their tags,
because these are what the final models are tested on. All AP are VOC's
(docs/metrics.md). Everything finished is kept: the same command continues a killed
study, ``--table`` only reads.

    python benchmarks/irnet_study.py --seeds 0 1 2 --root work_dirs/irnet_study
    python benchmarks/irnet_study.py --seeds 0 1 2 --root work_dirs/irnet_study --table
"""

import json
from pathlib import Path

from study_runs import (
    REPOSITORY,
    SeedRuns,
    cell,
    retention_cells,
    study_arguments,
)

from mmwsis.engine.user_errors import user_errors

PIPELINE = 'configs/irnet/pipeline_synthetic.py'
CLASSIFIER = 'configs/irnet/cam_r18_synthetic.py'
COMPONENTS = 'configs/irnet/cam-components_synthetic.py'
IRNET = 'configs/irnet/irnet_r18_synthetic.py'
DONE = Path('work_dirs/pipelines/irnet_synthetic')
# What of the pipeline's results on the training scenes is which row.
TRAIN_QUALITY = {'CAM components': 'cam_quality', 'IRNet': 'quality'}
TRUTH = 'data/synthetic/annotations/instances_val.json'
TAGS = 'weak/image_tags_val.json'
SPLITS = ('train', 'held_out')
MODELS = {'Mask R-CNN on IRNet': 'final_test', 'Mask R-CNN on full masks': 'full_test'}


class Study(SeedRuns):
    """The runs of IRNet of one seed."""

    def run(self) -> None:
        """Run the pipeline, and both labelers on the validation scenes."""
        self.pipeline(PIPELINE)
        tags = f'data/synthetic/{TAGS}'
        if not (self.root / tags).is_file():
            self.tool(
                *('tools/dataset_converters/coco2weak.py', TRUTH),
                *('--level', 'image_tags', '--out', tags),
            )
        maps = Path('held_out/class_maps')
        weights = self.checkpoint(Path('work_dirs/cam_r18_synthetic'))
        self.label(CLASSIFIER, maps, weights)
        self.measure('CAM components', COMPONENTS, maps)
        weights = self.checkpoint(Path('work_dirs/irnet_r18_synthetic'))
        self.measure('IRNet', IRNET, maps, weights)
        for name, stage in MODELS.items():
            self.measure_file(name, self.predictions(stage))

    def label(
        self, config: str, out: Path, weights: Path | None = None, *options: str
    ) -> None:
        """Label the validation scenes.

        Args:
            config: Config of the labeler, below the repository.
            out: File or folder to write.
            weights: Its checkpoint, if it has any.
            *options: Overrides of the config.
        """
        dataset = 'pseudo_label_dataloader.dataset'
        self.tool(
            *('tools/generate_pseudo_labels.py', REPOSITORY / config),
            *(() if weights is None else (weights,)),
            *('--out', out, '--cfg-options', f'{dataset}.ann_file={TAGS}'),
            *(f'{dataset}.data_prefix.img=val/', *options),
        )

    def measure(
        self, name: str, config: str, maps: Path, weights: Path | None = None
    ) -> None:
        """Make pseudo labels of the validation scenes and report their quality.

        Args:
            name: Row of the table.
            config: Config of the labeler, below the repository.
            maps: Class maps of these scenes.
            weights: The labeler's checkpoint, if it has any.
        """
        labels = Path('held_out', f'{name.replace(" ", "_")}.json')
        folder = f'pseudo_label_dataloader.dataset.pipeline.1.folder={maps}'
        self.label(config, labels, weights, folder)
        self.measure_file(name, labels)

    def measure_file(self, name: str, labels: Path) -> None:
        """Report the quality of masks of the validation scenes.

        Args:
            name: Row of the table.
            labels: COCO JSON.
        """
        out = Path('held_out/quality', name.replace(' ', '_'))
        if not (self.root / out / 'quality.json').is_file():
            script = 'tools/analysis_tools/pseudo_label_quality.py'
            self.tool(script, labels, TRUTH, '--match', 'overlap', '--out-dir', out)

    def predictions(self, stage: str) -> Path:
        """Write a test stage's list of predictions as a COCO file.

        Args:
            stage: Name of the stage.

        Returns:
            The file, relative to the root.
        """
        content = dict(self.read(TRUTH))
        found = self.read(str(DONE), 'predictions', f'{stage}.segm.json')
        content['annotations'] = [
            dict(entry, id=number) for number, entry in enumerate(found, start=1)
        ]
        out = Path('held_out', f'{stage}.json')
        (self.root / out).write_text(json.dumps(content))
        return out

    def cam_miou(self, key: str) -> float | None:
        """Return the class maps' last mIoU on the validation scenes.

        Args:
            key: 'mIoU' or 'mIoU_best'.
        """
        folder = self.root / 'work_dirs/cam_r18_synthetic'
        name, value = f'class_maps/{key}', None
        for file in sorted(folder.glob('*/vis_data/scalars.json')):
            for line in file.read_text().splitlines():
                value = json.loads(line).get(name, value)
        return value

    def ap(self, name: str, split: str, iou: int = 50) -> float | None:
        """Return the VOC AP of masks.

        Args:
            name: Row of the table.
            split: 'train' or 'held_out'.
            iou: Threshold in percent: 25, 50, 70 or 75.
        """
        parts = ('held_out/quality', name.replace(' ', '_'))
        if split == 'train':
            parts = (str(DONE), 'quality', TRAIN_QUALITY.get(name, 'none'))
        report = self.read(*parts, 'quality.json')
        return None if report is None else report['average_precision'][f'AP{iou}']


def table(studies: list[Study]) -> str:
    """All figures, mean over the seeds and range."""
    lines = [
        '| | training scenes, AP50 | AP70 | held-out scenes, AP50 | AP70 |',
        '| --- | --- | --- | --- | --- |',
    ]
    columns = [(split, iou) for split in SPLITS for iou in (50, 70)]
    for name in (*TRAIN_QUALITY, *MODELS):
        cells = [
            cell(study.ap(name, *column) for study in studies) for column in columns
        ]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    miou = [cell(s.cam_miou(key) for s in studies) for key in ('mIoU', 'mIoU_best')]
    kept, floor = retention_cells(
        *([study.ap(name, 'held_out') for study in studies] for name in MODELS)
    )
    lines += [
        '',
        f'CAM mIoU at the metric threshold {miou[0]}, at the best threshold {miou[1]}; '
        f'retention of AP50 {kept}, while the seeds of the baseline span {floor}.',
    ]
    return '\n'.join(lines)


def main() -> None:
    """Run what is missing and print the table."""
    args = study_arguments(__doc__).parse_args()
    studies = [Study(args.root / f'seed_{seed}', seed) for seed in args.seeds]
    for study in studies if not args.table else ():
        study.run()
    print(f'\n{table(studies)}')


if __name__ == '__main__':
    with user_errors('The same command continues.'):
        main()
