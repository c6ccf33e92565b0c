"""What can be wrong with a run: one rule for each kind."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmwsis.pseudo_labels.artifacts import artifact_settings, check_model_makes
from mmwsis.utils.checkpoint import (
    PACKAGE,
    CheckpointError,
    check_checkpoint_file,
    find_package_weights,
)

from .fit_config import inner_datasets
from .fit_model import nested_dicts
from .label_check import label_problems
from .label_files import LabelFiles
from .model_outline import ModelOutline, outline_problems
from .preflight import (
    PreflightError,
    class_problems,
    datasets_of,
    missing_requirements,
)
from .stage_rules import stage_problems
from .transform_rules import transform_problems

# Which loaders a task reads, by the first part of their keys.
SPLITS = dict(train=('train', 'val'), test=('test',), generate=('pseudo_label',))
# What MMEngine's runner wants whole or not at all.
TOGETHER = dict(
    train=('train_dataloader', 'train_cfg', 'optim_wrapper'),
    val=('val_dataloader', 'val_evaluator', 'val_cfg'),
    test=('test_dataloader', 'test_evaluator', 'test_cfg'),
    pseudo_label=(),
)
# What reads `init_cfg.checkpoint`, and must find it.
_INITIALIZERS = {'Pretrained', 'EfficientNetLitePretrained'}
# Types of other projects that need a package which MMDetection does without.
_PACKAGES = dict(
    TensorboardVisBackend='tensorboard',
    WandbVisBackend='wandb',
    MLflowVisBackend='mlflow',
    ClearMLVisBackend='clearml',
    NeptuneVisBackend='neptune',
    DVCLiveVisBackend='dvclive',
    AimVisBackend='aim',
    LVISDataset='lvis',
    LVISV1Dataset='lvis',
    LVISV05Dataset='lvis',
    LVISMetric='lvis',
    CocoPanopticMetric='panopticapi',
    CityScapesMetric='cityscapesscripts',
    SAMLabeler='transformers',
    SAMRefiner='transformers',
)


class Made:
    """Files and folders that earlier stages will make, or make anew.

    Args:
        sources: Path -> a label file with the same images and categories that is there
            already, or ``None``. What lies in a folder is made with it.
    """

    def __init__(self, sources: Mapping[Path, Path | None] | None = None) -> None:
        self._sources = {
            os.path.abspath(path): source for path, source in (sources or {}).items()
        }

    def __contains__(self, path: str | os.PathLike) -> bool:
        own = Path(os.path.abspath(path))
        return any(str(place) in self._sources for place in (own, *own.parents))

    def stand_in(self, path: str | os.PathLike) -> Path | None:
        """Label file to look at instead of one that is yet to be made.

        Args:
            path: Any label file.

        Returns:
            The path itself if no stage makes it; ``None`` if nothing is known of it.
        """
        if path not in self:
            return Path(path)
        return self._sources.get(os.path.abspath(path))


@dataclass
class Run:
    """A run of a tool that is to be checked.

    Attributes:
        cfg: Its config; relative paths start in the working directory.
        task: ``'train'``, ``'test'`` or ``'generate'``.
        outputs: Files and folders that it writes, besides ``work_dir``.
        made: What is not there yet, and will be.
        artifact: What generation makes. Defaults to what the config says.
        files: Label files that have been read. Defaults to none.
    """

    cfg: Config
    task: str
    outputs: Sequence[str | os.PathLike] = ()
    made: Made = field(default_factory=Made)
    artifact: str | None = None
    files: LabelFiles = field(default_factory=LabelFiles)

    @cached_property
    def outline(self) -> ModelOutline:
        """The config's model."""
        return ModelOutline.of(self.cfg)

    @property
    def loaders(self) -> Iterator[tuple[str, Any]]:
        """Key and dataset of every dataset that is read."""
        for split in SPLITS[self.task]:
            key = f'{split}_dataloader'
            for dataset in inner_datasets(self.cfg.get(key)):
                yield key, dataset


def _parts(run: Run) -> Iterator[str]:
    """Parts of a config that belong together."""
    for split in SPLITS[run.task]:
        given = {key: run.cfg.get(key) is not None for key in TOGETHER[split]}
        if any(given.values()) and not all(given.values()):
            lacking = ', '.join(key for key, there in given.items() if not there)
            there = ', '.join(key for key, there in given.items() if there)
            yield (
                f'{run.cfg.filename or "the config"} has {there}, but no {lacking}: '
                'give all of them, or set all to None.'
            )


def _requirements(run: Run) -> Iterator[str]:
    """What earlier stages make."""
    if run.task == 'test':
        return
    reader = None
    if run.task == 'generate':
        # What training started from is not needed any more.
        reader = run.cfg.pseudo_label_dataloader.dataset
    missing = missing_requirements(run.cfg, reader)
    listed = [text for path, text in missing.items() if path not in run.made]
    if listed:
        yield (
            f'{run.cfg.filename or "this config"} needs what an earlier stage makes '
            f'(looked in {Path.cwd()}):\n' + '\n'.join(listed)
        )


def _label_files(run: Run) -> Iterator[str]:
    """Label files that no stage makes."""
    told = {} if run.task == 'test' else missing_requirements(run.cfg)
    told = set(map(os.path.normpath, told))
    for key, dataset in run.loaders:
        file = label_file(dataset)
        if file is None or os.path.isfile(file) or file in run.made:
            continue
        if os.path.normpath(file) not in told:
            yield (
                f'{key}.dataset.ann_file does not exist: {file} (looked in '
                f'{Path.cwd()}). Correct data_root and ann_file.'
            )


def _classes(run: Run) -> Iterator[str]:
    """Names of classes in config, label files and model."""

    def there(path: Path) -> Path | None:
        file = run.made.stand_in(path)
        return file if file is not None and file.is_file() else None

    file = (run.cfg.get('data_spec') or {}).get('file')
    source = f' The classes are those of {file} (data_spec.classes).' if file else ''
    try:
        for issue in class_problems(run.cfg, SPLITS[run.task], there):
            yield issue.message + source
    except PreflightError:
        raise
    except ValueError:  # no JSON, as the next rules say with its place in the config
        return


def _stage(run: Run) -> Iterator[str]:
    """What the config is, by what it reads; what its model can make."""
    if run.task != 'test':
        yield from stage_problems(run.cfg, SPLITS[run.task][0])
    if run.task == 'generate':
        kind = artifact_settings(run.artifact or run.cfg.get('artifact'))['type']
        check_model_makes(run.cfg.model, kind)


def _transforms(run: Run) -> Iterator[str]:
    """Whether labels stay where their objects are."""
    yield from transform_problems(run.cfg, SPLITS[run.task])


def _labels(run: Run) -> Iterator[str]:
    """Rules of the label files."""
    datasets = datasets_of(run.cfg, SPLITS[run.task])
    there = [one for one in datasets if one.ann_file and one.ann_file not in run.made]
    yield from label_problems(there, run.files)


def _images(run: Run) -> Iterator[str]:
    """Image folders, and the files in them."""
    seen = set()
    for key, dataset in run.loaders:
        file = label_file(dataset)
        root = dataset.get('data_root') or ''
        folder = os.path.join(root, (dataset.get('data_prefix') or {}).get('img') or '')
        if (
            (file, folder) in seen
            or file is None
            or '://' in folder
            or file in run.made
        ):
            continue
        seen.add((file, folder))
        if folder and not os.path.isdir(folder):
            yield (
                f'{key}.dataset: there is no image folder {folder} (looked in '
                f'{Path.cwd()}). Correct data_root and data_prefix.img.'
            )
        elif os.path.isfile(file):
            try:
                problem = run.files.missing_images(file, folder)
            except ValueError as error:
                problem = str(error)
            if problem:
                yield f'{key}.dataset: {problem}'


def label_file(dataset: Mapping[str, Any]) -> str | None:
    """Label file of a dataset, if it is a local one."""
    name, root = dataset.get('ann_file'), dataset.get('data_root') or ''
    is_json = str(name).endswith('.json') or 'Coco' in str(dataset.get('type'))
    if not isinstance(name, str) or not name or not is_json:
        return None
    remote = '://' in name or '://' in root or dataset.get('backend_args')
    return None if remote else os.path.join(root, name)


def _evaluators(run: Run) -> Iterator[str]:
    """Files that are measured on."""
    for split in SPLITS[run.task]:
        given = run.cfg.get(f'{split}_evaluator') or []
        for evaluator in given if isinstance(given, (list, tuple)) else [given]:
            for key in ('ann_file', 'seg_prefix'):
                path = evaluator.get(key)
                if not path or '://' in path or path in run.made:
                    continue
                if not os.path.exists(path):
                    yield (
                        f'{split}_evaluator.{key} does not exist: {path} (looked in '
                        f'{Path.cwd()})'
                    )


def _packages(run: Run) -> Iterator[str]:
    """Optional packages."""
    keys = ['visualizer', 'model']
    for split in SPLITS[run.task]:
        keys += [f'{split}_dataloader', f'{split}_evaluator']
    parts = nested_dicts([run.cfg.to_dict().get(key) for key in keys])
    for part in parts:
        kind = str(part.get('type', '')).rpartition('.')[2]
        package = _PACKAGES.get(kind)
        if part.get('backend') == 'faster-coco-eval':
            package = 'faster_coco_eval'
        if package is not None and find_spec(package) is None:
            yield (
                f'the config uses {part["type"]}, which needs the package {package}: '
                f'pip install {package.replace("_", "-")}, or take it out of the '
                'config.'
            )


def _palettes(run: Run) -> Iterator[str]:
    """A colour for each class, if there are any."""
    for key, dataset in run.loaders:
        metainfo = dataset.get('metainfo') or {}
        palette, classes = metainfo.get('palette'), metainfo.get('classes') or ()
        if isinstance(palette, (list, tuple)) and len(palette) < len(classes):
            yield (
                f'{key}.dataset.metainfo.palette has {len(palette)} colors for '
                f'{len(classes)} classes. Give one for each, or leave it out.'
            )


def _checkpoints(run: Run) -> Iterator[str]:
    """Weights that a run starts from; addresses on the web are not tried."""
    named = [run.cfg.get('load_from')]
    if run.task == 'train':
        named += [
            part.get('checkpoint')
            for part in nested_dicts(run.cfg.get('model', {}).to_dict())
            if str(part.get('type', '')).rpartition('.')[2] in _INITIALIZERS
        ]
    told = missing_requirements(run.cfg)
    for path in dict.fromkeys(named):
        if path and path.startswith(PACKAGE):
            try:
                find_package_weights(path)
            except (FileNotFoundError, CheckpointError) as error:
                yield str(error)
        if not path or '://' in path or path in run.made or path in told:
            continue
        if not os.path.isfile(path):
            yield (
                f'checkpoint {path} does not exist (looked in {Path.cwd()}). Correct '
                'load_from or init_cfg.checkpoint of the config.'
            )
            continue
        try:
            check_checkpoint_file(path)
        except CheckpointError as error:
            yield str(error)


def _model(run: Run) -> Iterator[str]:
    """Types and arguments of the model, and whether a checkpoint is one of it."""
    checkpoint = run.cfg.get('load_from')
    path = None if not checkpoint or '://' in checkpoint else checkpoint
    if path is not None and (path in run.made or not os.path.isfile(path)):
        path = None
    whole = run.task == 'test' or bool(run.cfg.get('resume'))
    yield from outline_problems(run.outline, path, whole)


def _places(run: Run) -> Iterator[str]:
    """Whether results can be written."""
    yield from place_problems([*filter(None, [run.cfg.get('work_dir')]), *run.outputs])


def place_problems(paths: Iterable[str | os.PathLike]) -> Iterator[str]:
    """Find places that cannot be written.

    Args:
        paths: Files or folders that a run will make.

    Yields:
        One message for each.
    """
    for path in paths:
        place = Path(os.path.abspath(path))
        there = next(one for one in (place, *place.parents) if os.path.lexists(one))
        if there != place and not there.is_dir():
            yield (
                f'{path} cannot be made, because {there} is no folder. Name another '
                'place, or move it away.'
            )
        elif not os.access(there, os.W_OK):
            yield (
                f'{path} cannot be written: no permission in {there}. Name another '
                'place, or change the permissions.'
            )


def _devices(run: Run) -> Iterator[str]:
    """A GPU for each process of a machine."""
    yield from device_problems(int(os.environ.get('LOCAL_WORLD_SIZE', '1')))


def device_problems(processes: int, launcher: str = 'pytorch') -> Iterator[str]:
    """Find out whether a machine can run so many processes.

    Args:
        processes: Processes on this machine.
        launcher: ``'none'``, ``'pytorch'`` or ``'slurm'``; other machines' GPUs are
            not known.

    Yields:
        At most one message. Without any GPU, processes share the CPU.
    """
    if launcher == 'slurm' and shutil.which('srun') is None:
        yield 'slurm is asked for, but there is no program srun on this machine.'
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if launcher == 'pytorch' and 0 < there < processes:
        visible = os.environ.get('CUDA_VISIBLE_DEVICES')
        why = f' (CUDA_VISIBLE_DEVICES={visible})' if visible is not None else ''
        yield (
            f'{processes} processes are asked for, but this machine has {there} '
            f'GPU{"s" if there > 1 else ""}{why}. Give at most {there}.'
        )


RULES = (
    _parts,
    _requirements,
    _label_files,
    _classes,
    _stage,
    _transforms,
    _labels,
    _images,
    _evaluators,
    _palettes,
    _packages,
    _checkpoints,
    _model,
    _places,
    _devices,
)
