"""The figures of a report."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config

from mmwsis.formats.coco_file import image_file_name
from mmwsis.registry import MODELS
from mmwsis.visualization.coco_files import LabelFile
from mmwsis.visualization.comparison import MaskColumn, comparison_sheet
from mmwsis.visualization.curves import plot_curves, read_scalars
from mmwsis.visualization.maps import map_sheet
from mmwsis.visualization.sheet import save_image
from mmwsis.visualization.weak_labels import weak_label_sheet

from .launch import option_arguments
from .locate import find_config, find_tool
from .process import last_lines, run_logged
from .stages import GenerateStage, QualityStage, ReportStage, TestStage, TrainStage

if TYPE_CHECKING:
    from .runner import PipelineRunner

_SCORE_THR = 0.3


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
    for title, name, draw in _planned(runner, stage):
        file = folder / name
        try:
            draw(file)
        except Exception as error:
            problem = f'{type(error).__name__}: {error}'
            drawn.append(Figure(title, problem=problem))
        else:
            drawn.append(Figure(title, os.path.relpath(file, runner.work_dir)))
    return drawn


def _planned(
    runner: 'PipelineRunner', stage: ReportStage
) -> Iterator[tuple[str, str, Callable[[Path], Any]]]:
    """Title, file name and drawing function of each figure."""
    stages = runner.pipeline.stages
    done = {
        name
        for name, record in runner.manifest.stages.items()
        if record.status == 'finished'
    }
    generators = [s for s in stages if isinstance(s, GenerateStage) and s.name in done]
    for entry in generators[:1]:
        yield 'Weak labels', 'weak_labels.png', _weak_labels(runner, entry, stage)
    models = set()
    for entry in generators:
        own = _own_figure(runner, entry)
        # One model may make several artifacts.
        if own is not None and entry.config not in models:
            models.add(entry.config)
            yield own['title'], f'{entry.name}.png', _tool_figure(runner, entry, own)
        if entry.result != Path(entry.out):
            yield (
                f'Maps of {entry.name}',
                f'{entry.name}_maps.png',
                _maps(runner, entry, stage),
            )
    for entry in stages:
        if not isinstance(entry, QualityStage) or entry.name not in done:
            continue
        labels = Path(entry.pseudo).stem
        makers = [one for one in generators if Path(one.out) == Path(entry.pseudo)]
        for maker in makers[:1]:
            yield (
                f'Pseudo masks of {labels} beside ground truth',
                f'{entry.name}_masks.png',
                _pseudo_masks(runner, entry, maker, stage),
            )
        folder = runner.root / runner.factory.quality_dir(entry.name)
        for source in sorted(folder.glob('*.png')):
            title = f'Quality of {labels}: {source.stem}'
            yield title, f'{entry.name}_{source.name}', _copy(source)
    yield from _planned_predictions(runner, stage, done)
    for entry in stages:
        if isinstance(entry, TrainStage) and entry.name in done:
            work_dir = runner.root / runner.factory.train_dir(entry)
            yield (
                f'Training curves of {entry.name}',
                f'curves_{entry.name}.png',
                _curves(work_dir, entry.name),
            )


def _planned_predictions(
    runner: 'PipelineRunner', stage: ReportStage, done: set[str]
) -> Iterator[tuple[str, str, Callable[[Path], Any]]]:
    """Masks of the final model and the fully-supervised baseline beside the truth."""
    by_name = {entry.name: entry for entry in runner.pipeline.stages}
    names = [name for name in (stage.weak, stage.full) if name in done]
    files = {
        name: runner.root / runner.factory.predictions_file(name) for name in names
    }
    shown = [by_name[name] for name in names if files[name].is_file()]
    if not shown:
        return

    def draw(file: Path) -> None:
        truth, img_dir = dataset_files(
            runner.factory.config_of(shown[0]).test_dataloader.dataset
        )
        columns = [
            MaskColumn(_column_title(entry, stage), LabelFile.read(files[entry.name]))
            for entry in shown
        ]
        columns = [MaskColumn(c.title, c.labels, _SCORE_THR) for c in columns]
        sheet = comparison_sheet(
            runner.root / img_dir,
            LabelFile.read(runner.root / truth),
            columns,
            num=stage.num_pictures,
            title=f'Predictions with a score of at least {_SCORE_THR}',
        )
        save_image(file, sheet)

    yield 'Final predictions beside ground truth', 'predictions.png', draw


def _column_title(entry: TestStage, stage: ReportStage) -> str:
    weak = entry.name == stage.weak
    return 'trained on pseudo labels' if weak else 'trained on full masks'


def dataset_files(dataset: dict[str, Any]) -> tuple[str, str]:
    """Annotation file and image folder of a dataset's config.

    Args:
        dataset: Config of a dataset; a wrapped one is unwrapped.

    Returns:
        Both as paths from the root.
    """
    while 'ann_file' not in dataset:
        inner = dataset.get('dataset') or dataset['datasets'][0]
        dataset = inner
    data_root = dataset.get('data_root') or ''
    prefix = (dataset.get('data_prefix') or {}).get('img', '')
    return os.path.join(data_root, dataset['ann_file']), os.path.join(data_root, prefix)


def _weak_labels(
    runner: 'PipelineRunner', entry: GenerateStage, stage: ReportStage
) -> Callable[[Path], Any]:
    def draw(file: Path) -> None:
        cfg: Config = runner.factory.config_of(entry)
        labels, img_dir = dataset_files(cfg.pseudo_label_dataloader.dataset)
        sheet = weak_label_sheet(
            runner.root / labels,
            runner.root / img_dir,
            num=stage.num_pictures,
            title=f'Weak labels: {labels}',
        )
        save_image(file, sheet)

    return draw


def _own_figure(
    runner: 'PipelineRunner', entry: GenerateStage
) -> dict[str, str] | None:
    """Title and tool of the figure that a labeler's class asks for."""
    labeler = MODELS.get(str(runner.factory.config_of(entry).model.type))
    return getattr(labeler, 'report_picture', None)


def _maps(
    runner: 'PipelineRunner', entry: GenerateStage, stage: ReportStage
) -> Callable[[Path], Any]:
    def draw(file: Path) -> None:
        cfg = runner.factory.config_of(entry)
        labels, img_dir = dataset_files(cfg.pseudo_label_dataloader.dataset)
        images = LabelFile.read(runner.root / labels).images.values()
        sheet = map_sheet(
            runner.root / entry.out,
            runner.root / img_dir,
            {image['id']: image_file_name(image) for image in images},
            num=stage.num_pictures,
        )
        save_image(file, sheet)

    return draw


def _tool_figure(
    runner: 'PipelineRunner', entry: GenerateStage, own: dict[str, str]
) -> Callable[[Path], Any]:
    def draw(file: Path) -> None:
        # A process of its own: the model's memory is returned, and relative paths in
        # the config start from the root.
        factory = runner.factory
        command = [
            *(sys.executable, str(find_tool(own['tool']))),
            str(find_config(entry.config, runner.pipeline.file.parent)),
            *([str(factory.checkpoint(entry))] if entry.has_weights else []),
            *('--out', str(file)),
        ]
        if factory.dataset is not None:
            command += ['--dataset', str(factory.dataset)]
        command += option_arguments(factory.options_of(entry))
        log = runner.work_dir / 'logs' / f'{entry.name}_picture.log'
        status = run_logged(command, log, runner.root, runner.environment())
        if status != 0:
            tail = ' | '.join(last_lines(log, 2))
            raise RuntimeError(f'{own["tool"]} ended with status {status}: {tail}')

    return draw


def _pseudo_masks(
    runner: 'PipelineRunner',
    entry: QualityStage,
    generator: GenerateStage,
    stage: ReportStage,
) -> Callable[[Path], Any]:
    def draw(file: Path) -> None:
        cfg = runner.factory.config_of(generator)
        _, img_dir = dataset_files(cfg.pseudo_label_dataloader.dataset)
        sheet = comparison_sheet(
            runner.root / img_dir,
            LabelFile.read(runner.root / entry.gt),
            [MaskColumn('pseudo labels', LabelFile.read(runner.root / entry.pseudo))],
            num=stage.num_pictures,
            title='Pseudo labels beside ground truth',
        )
        save_image(file, sheet)

    return draw


def _curves(work_dir: Path, name: str) -> Callable[[Path], Any]:
    return lambda file: plot_curves(read_scalars(work_dir), file, name)


def _copy(source: Path) -> Callable[[Path], Any]:
    def draw(file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, file)

    return draw
