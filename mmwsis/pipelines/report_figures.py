"""The figures of a report."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmwsis.evaluation.counting import is_error
from mmwsis.evaluation.retention_figure import plot_retention
from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.registry import MODELS
from mmwsis.visualization.coco_files import LabelFile, spread
from mmwsis.visualization.comparison import MaskColumn, comparison_sheet
from mmwsis.visualization.curves import Curve, plot_curves, plot_panels, read_scalars
from mmwsis.visualization.maps import map_sheet
from mmwsis.visualization.panoptic_figure import PanopticColumn, panoptic_sheet
from mmwsis.visualization.sheet import save_image
from mmwsis.visualization.weak_labels import weak_label_sheet

from .launch import option_arguments
from .locate import find_config, find_tool
from .process import last_lines, run_logged
from .report_data import compared, tested_models, trained_on, training_measures
from .report_rounds import gather_rounds
from .stages import (
    GenerateStage,
    QualityStage,
    ReportStage,
    Stage,
    TestStage,
    TrainStage,
)

if TYPE_CHECKING:
    from .runner import PipelineRunner

_SCORE_THR = 0.3
_MOST_COLUMNS = 5  # of rounds side by side
# Title, file name, and what draws into the file that it is given.
_Plan = tuple[str, str, Callable[[Path], Any]]


@dataclass(frozen=True)
class Figure:
    """A figure of the report, or why it is missing.

    Attributes:
        title: What it shows.
        file: Path relative to the report; empty when it could not be drawn.
        problem: Why it could not be drawn.
    """

    title: str
    file: str = ''
    problem: str = ''

    @property
    def shows_worst(self) -> bool:
        """Whether it shows the worst labels that a quality stage found."""
        return Path(self.file).stem.endswith('_worst')


def draw_figures(runner: 'PipelineRunner', stage: ReportStage) -> list[Figure]:
    """Draw all figures that the finished stages allow.

    A figure that fails does not cost the report: its reason stands there instead.

    Args:
        runner: The runner.
        stage: The report stage.

    Returns:
        The figures in the order of the report.
    """
    folder = runner.work_dir / 'pictures'
    drawn = []
    for title, name, draw in _Figures(runner, stage).planned():
        file = folder / name
        try:
            draw(file)
        except Exception as error:
            problem = f'{type(error).__name__}: {error}'
            drawn.append(Figure(title, problem=problem))
        else:
            drawn.append(Figure(title, os.path.relpath(file, runner.work_dir)))
    return drawn


def _is_drawn(own: dict[str, str] | None, model: dict[str, Any], artifact: str) -> bool:
    """Whether a model's own picture shows how this artifact is made by this config."""
    if own is None or own.get('artifact', artifact) != artifact:
        return False
    return 'needs' not in own or bool(model.get(own['needs']))


def dataset_files(dataset: dict[str, Any]) -> tuple[str, str]:
    """Annotation file and image folder of a dataset's config.

    Args:
        dataset: Config of a dataset; a wrapped one is unwrapped.

    Returns:
        Both as paths from the root.
    """
    while 'ann_file' not in dataset:
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    data_root = dataset.get('data_root') or ''
    prefix = (dataset.get('data_prefix') or {}).get('img', '')
    return os.path.join(data_root, dataset['ann_file']), os.path.join(data_root, prefix)


class _Figures:
    """Plans and draws the figures of one report stage."""

    def __init__(self, runner: 'PipelineRunner', stage: ReportStage) -> None:
        self.runner, self.factory, self.root = runner, runner.factory, runner.root
        self.stage = stage
        records = runner.manifest.stages
        self.done = [
            entry
            for entry in runner.pipeline.stages
            if entry.name in records and records[entry.name].status == 'finished'
        ]
        # Of stages that are repeated, those of the last round.
        self.latest = list({one.name_in_file: one for one in self.done}.values())

    def planned(self) -> Iterator[_Plan]:
        """List the figures that the finished stages allow."""
        for group in gather_rounds(self.runner):
            if group['measures']:
                name = group['name']
                draw = partial(_draw_rounds, group)
                yield f'Curves over the rounds of {name}', f'rounds_{name}.png', draw
        generators = [one for one in self.latest if isinstance(one, GenerateStage)]
        if generators:
            # A later round may label what an earlier one has made.
            first = next(one for one in self.done if isinstance(one, GenerateStage))
            draw = partial(self._weak_labels, first)
            yield 'Weak labels', 'weak_labels.png', draw
        yield from self._of_generators(generators)
        for entry in self.latest:
            if isinstance(entry, QualityStage):
                yield from self._of_quality(entry, generators)
        yield from self._of_panoptic_labels()
        yield from self._of_predictions()
        rows = compared(*tested_models(self.runner, self.stage))
        if any(row.noise_floor for row in rows):
            draw = partial(plot_retention, rows)
            yield 'Retention and its noise floor', 'retention.png', draw
        for entry in self.latest:
            if isinstance(entry, TrainStage):
                name = entry.name_in_file
                title = f'Training curves of {name}'
                yield title, f'curves_{name}.png', partial(self._curves, entry)

    def _of_generators(self, generators: list[GenerateStage]) -> Iterator[_Plan]:
        models = set()
        for entry in generators:
            model = self.factory.config_of(entry).model
            own = getattr(MODELS.get(str(model.type)), 'report_picture', None)
            kind = self.factory.artifact_of(entry)
            if _is_drawn(own, model, kind) and entry.config not in models:
                models.add(entry.config)
                draw = partial(self._by_tool, entry, own['tool'])
                yield own['title'], f'{entry.name_in_file}.png', draw
            if kind in ('class_maps', 'semantic_maps', 'panoptic_maps'):
                name = f'{entry.name_in_file}_maps.png'
                yield f'Maps of {entry.name}', name, partial(self._maps, entry)
            if kind == 'points':
                name = f'{entry.name_in_file}_points.png'
                yield f'Points of {entry.name}', name, partial(self._points, entry)

    def _of_quality(
        self, entry: QualityStage, generators: list[GenerateStage]
    ) -> Iterator[_Plan]:
        labels = Path(entry.pseudo).stem
        makers = [
            one
            for one in generators
            if Path(one.out) == Path(entry.pseudo)
            and self.factory.artifact_of(one) in ('object_masks', 'instances')
        ]
        if makers:
            title = f'Pseudo masks of {labels} beside ground truth'
            draw = partial(self._pseudo_masks, entry, makers[0])
            yield title, f'{entry.name_in_file}_masks.png', draw
        folder = self.root / self.factory.quality_dir(entry.name)
        for source in sorted(folder.glob('*.png')):
            title = f'Quality of {labels}: {source.stem}'
            name = f'{entry.name_in_file}_{source.name}'
            yield title, name, partial(_copy, source)

    def _of_panoptic_labels(self) -> Iterator[_Plan]:
        """Panoptic labels of all rounds in one figure.

        Those that quality stages judge beside the truth; where none does, all of the
        same images.
        """
        makers = {
            Path(one.out): one
            for one in self.done
            if isinstance(one, GenerateStage)
            and self.factory.artifact_of(one) == 'panoptic_maps'
        }
        truths = {
            Path(entry.pseudo): entry
            for entry in self.done
            if isinstance(entry, QualityStage)
        }
        judged = [one for out, one in makers.items() if out in truths]
        if judged:
            truth = truths[Path(judged[-1].out)]
            chosen = spread(judged, _MOST_COLUMNS)
            draw = partial(self._panoptic_labels, chosen, truth)
            yield 'Panoptic labels beside ground truth', 'panoptic_labels.png', draw
        elif makers:
            images = self._labeled_files([*makers.values()][-1])
            alike = [
                one for one in makers.values() if self._labeled_files(one) == images
            ]
            chosen = spread(alike, _MOST_COLUMNS)
            draw = partial(self._panoptic_labels, chosen, None)
            yield 'Panoptic labels', 'panoptic_labels.png', draw

    def _panoptic_labels(
        self, makers: list[GenerateStage], truth: QualityStage | None, file: Path
    ) -> None:
        columns = [
            PanopticColumn(
                f'round {maker.round.number}' if maker.round else maker.name,
                self._panoptic_file(maker.out),
            )
            for maker in makers
        ]
        sheet = panoptic_sheet(
            self._labeled_files(makers[-1])[1],
            None if truth is None else self._panoptic_file(truth.gt, truth.gt_seg_dir),
            columns,
            num=self.stage.num_pictures,
        )
        save_image(file, sheet)

    def _panoptic_file(self, name: str, folder: str | None = None) -> PanopticFile:
        path = self.root / name
        return PanopticFile(path, self.root / (folder or path.with_suffix('')))

    def _of_predictions(self) -> Iterator[_Plan]:
        """Masks of the final model and the fully-supervised baseline."""
        by_name = {entry.name: entry for entry in self.done}
        names = [name for name in (self.stage.weak, self.stage.full) if name in by_name]
        shown = [by_name[name] for name in names if self._predictions(name).is_file()]
        if shown:
            draw = partial(self._final_predictions, shown)
            yield 'Final predictions beside ground truth', 'predictions.png', draw

    def _predictions(self, name: str) -> Path:
        return self.root / self.factory.predictions_file(name)

    def _labeled_files(self, entry: GenerateStage) -> tuple[Path, Path]:
        """Weak annotation file and image folder of a generate stage."""
        cfg = self.factory.config_of(entry)
        labels, img_dir = dataset_files(cfg.pseudo_label_dataloader.dataset)
        return self.root / labels, self.root / img_dir

    def _weak_labels(self, entry: GenerateStage, file: Path) -> None:
        labels, img_dir = self._labeled_files(entry)
        title = f'Weak labels: {self.factory.shown_path(labels)}'
        num = self.stage.num_pictures
        save_image(file, weak_label_sheet(labels, img_dir, num=num, title=title))

    def _maps(self, entry: GenerateStage, file: Path) -> None:
        labels, img_dir = self._labeled_files(entry)
        images = LabelFile.read(labels).images.values()
        names = {image['id']: image_file_name(image) for image in images}
        maps = self.root / entry.out
        save_image(file, map_sheet(maps, img_dir, names, num=self.stage.num_pictures))

    def _points(self, entry: GenerateStage, file: Path) -> None:
        img_dir, num = self._labeled_files(entry)[1], self.stage.num_pictures
        save_image(file, weak_label_sheet(self.root / entry.out, img_dir, num=num))

    def _by_tool(self, entry: GenerateStage, tool: str, file: Path) -> None:
        # A process of its own: the model's memory is returned, and relative paths in
        # the config start from the root.
        runner, factory = self.runner, self.factory
        command = [
            *(sys.executable, str(find_tool(tool))),
            str(find_config(entry.config, runner.pipeline.file.parent)),
            *([str(factory.checkpoint(entry))] if entry.has_weights else []),
            *('--out', str(file)),
        ]
        if factory.dataset is not None:
            command += ['--dataset', str(factory.dataset)]
        command += option_arguments(factory.options_of(entry))
        log = runner.work_dir / 'logs' / f'{entry.name}_picture.log'
        status = run_logged(command, log, self.root, runner.environment())
        if status != 0:
            tail = ' | '.join(last_lines(log, 2))
            raise RuntimeError(f'{tool} ended with status {status}: {tail}')

    def _pseudo_masks(
        self, entry: QualityStage, maker: GenerateStage, file: Path
    ) -> None:
        first, last = (self._all_rounds(entry)[at] for at in (0, -1))
        columns = [
            MaskColumn(
                f'round {one.round.number}' if one.round else 'pseudo labels',
                LabelFile.read(self.root / one.pseudo),
            )
            for one in ([first, last] if first != last else [last])
        ]
        sheet = comparison_sheet(
            self._labeled_files(maker)[1],
            LabelFile.read(self.root / entry.gt),
            columns,
            num=self.stage.num_pictures,
            title='Pseudo labels beside ground truth',
        )
        save_image(file, sheet)

    def _final_predictions(self, shown: list[TestStage], file: Path) -> None:
        cfg = self.factory.config_of(shown[0])
        truth, img_dir = dataset_files(cfg.test_dataloader.dataset)
        columns = []
        for entry in shown:
            is_weak = entry.name == self.stage.weak
            masks = trained_on(self.runner, entry) if is_weak else 'full masks'
            found = LabelFile.read(self._predictions(entry.name))
            columns.append(MaskColumn(f'trained on {masks}', found, _SCORE_THR))
        sheet = comparison_sheet(
            self.root / img_dir,
            LabelFile.read(self.root / truth),
            columns,
            num=self.stage.num_pictures,
            title=f'Predictions with a score of at least {_SCORE_THR}',
        )
        save_image(file, sheet)

    def _all_rounds(self, entry: Stage) -> list[Stage]:
        """A stage, and where it is repeated those of all rounds or runs."""
        return [one for one in self.done if one.name_in_file == entry.name_in_file]

    def _curves(self, entry: TrainStage, file: Path) -> None:
        runs = [
            (one.repetition, read_scalars(self.root / self.factory.train_dir(one)))
            for one in self._all_rounds(entry)
        ]
        if len(runs) == 1:
            plot_curves(runs[0][1], file, entry.name)
            return
        panels: dict[str, dict[str, Curve]] = {}
        for name, curves in runs:
            for key in training_measures(curves):
                panels.setdefault(key, {})[name] = curves[key]
        what = 'round by round' if entry.round else 'its runs differ in their seed'
        plot_panels(panels, file, f'{entry.name_in_file}, {what}')


def _draw_rounds(group: dict[str, Any], file: Path) -> None:
    """Measures of the rounds of repeated stages, one panel for each stage."""
    panels: dict[str, dict[str, Curve]] = {}
    for one in group['measures']:
        scale, unit = (1, 'objects') if is_error(one['name']) else (100, '%')
        points = [(number, scale * value) for number, value in one['values'].items()]
        panels.setdefault(f'{one["stage"]} ({unit})', {})[one['name']] = points
    plot_panels(panels, file, f'Rounds of {group["name"]}', steps='round')


def _copy(source: Path, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, file)
