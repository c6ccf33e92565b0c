"""What a config needs of the stages before it, as their own configs tell it.

A stage says in ``wsis`` what it is; nothing is stated twice::

    wsis = dict(
        method='EXITS',
        stage='labeler',
        supervision='extreme_points',
        requires=['configs/exits/similarity-extractor_vit-b_coco.py'],
        produces='data/coco/pseudo_labels/exits.json',    # if it writes labels or maps
    )

A final model has ``wsis = dict(stage='final_model', labeler='configs/...py')``, or no
labeler if it is trained on masks of the dataset: a fully-supervised baseline. A network
that is trained on weak labels and is itself the final model has the ``stage``
'end_to_end', and says the rest as a labeler does.
"""

import functools
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmwsis.utils.config_files import SHIPPED_ROOTS, default_work_dir, read_config

from .fit_config import apply_data_spec


class Requirement(NamedTuple):
    """A file or folder of maps, and the command that makes it."""

    path: str
    command: str


def requirements_of(cfg: Config) -> list[Requirement]:
    """List what earlier stages make for a config.

    Args:
        cfg: Config. Of the configs that its ``wsis`` names (``labeler``, ``requires``)
            all products are listed, and all weak label files of its dataset, whether
            it reads them or not. An entry of ``requires`` may also be a
            ``dict(path=..., command=...)``, where ``{val[ann_file]}`` and
            ``{train[weak][boxes]}`` in the command are those of the dataset; without
            ``val`` entries that name it are not needed.

    Returns:
        Paths relative to the working directory, with their commands. If the config was
        fitted to another dataset, so are they.

    Raises:
        FileNotFoundError: ``wsis`` names a config that does not exist.
    """
    spec = cfg.get('data_spec') or {}
    spec = spec.to_dict() if hasattr(spec, 'to_dict') else spec
    wsis = cfg.get('wsis') or {}
    found = _weak_labels(spec)
    for entry in (wsis.get('labeler'), *(wsis.get('requires') or ())):
        if isinstance(entry, str):
            found += _products(entry, spec, cfg.filename)
        elif entry is not None:
            command, val = str(entry['command']), spec.get('val')
            if val or '{val[' not in command:
                command = command.format(train=spec.get('train'), val=val)
                found.append(Requirement(str(entry['path']), command))
    return found


def name_supervision(cfg: Config) -> None:
    """Complete ``wsis`` of a final model by its method and supervision, in place.

    The saved config, and labels that the model makes, then say what it was trained on.

    Args:
        cfg: Config. Those of labelers, and final models with ``--labels``, stay.
    """
    wsis = cfg.get('wsis') or {}
    if wsis.get('stage') != 'final_model' or wsis.get('labels') or wsis.get('method'):
        return
    source = dict(method='FULL', supervision='masks')
    if wsis.get('labeler'):
        file = _find(wsis['labeler'], cfg.filename)
        source = _read_once(file).get('wsis') or {}
    for key in ('method', 'supervision'):
        if source.get(key) is not None:
            cfg.wsis[key] = source[key]


def last_checkpoint(cfg: Config, file: str | os.PathLike) -> str | None:
    """Path of the checkpoint that training a config ends with.

    Args:
        cfg: Config.
        file: Its file, which the work dir is named after.

    Returns:
        Such as ``'work_dirs/labeler_vit-b_coco/epoch_10.pth'``; ``None`` for a model
        without training.
    """
    train = cfg.get('train_cfg') or {}
    by_iteration = 'max_iters' in train
    length = train.get('max_iters' if by_iteration else 'max_epochs')
    if length is None or cfg.get('train_dataloader') is None:
        return None
    name = (cfg.get('data_spec') or {}).get('name') if _is_fitted(cfg) else None
    folder = cfg.get('work_dir') or default_work_dir(cfg, file, name)
    return f'{folder}/{"iter" if by_iteration else "epoch"}_{length}.pth'


def _is_fitted(cfg: Mapping[str, Any]) -> bool:
    """Whether ``--dataset`` has replaced the dataset of a config."""
    return bool((cfg.get('data_spec') or {}).get('file'))


def _products(
    name: str, spec: Mapping[str, Any], reader: str | None
) -> list[Requirement]:
    """Weights, and labels or maps, that a config of an earlier stage makes."""
    file = _find(name, reader)
    cfg = _read_once(file)
    option = ''
    if spec.get('file'):
        cfg = apply_data_spec(cfg, spec)
        option = f' --dataset {shlex.quote(str(spec["file"]))}'
    made = []
    checkpoint = last_checkpoint(cfg, file)
    if checkpoint is not None:
        made.append(Requirement(checkpoint, f'python tools/train.py {name}{option}'))
    labels = (cfg.get('wsis') or {}).get('produces')
    if labels is not None:
        words = ['python tools/generate_pseudo_labels.py', name]
        words += [] if checkpoint is None else [checkpoint]
        made.append(Requirement(str(labels), ' '.join(words) + option))
    return made


def _read_once(file: Path) -> Config:
    """A config, not to be changed; a check asks for the same ones again and again."""
    return _read_version(file, file.stat().st_mtime_ns)


@functools.cache
def _read_version(file: Path, changed: int) -> Config:
    return read_config(file)


def _find(name: str, reader: str | None) -> Path:
    """A config named from the top of a checkout, from the package or the cwd."""
    for root in (Path.cwd(), *SHIPPED_ROOTS):
        if (root / name).is_file():
            return root / name
    raise FileNotFoundError(
        f'{reader or "this config"}: wsis names the config {name}, which does not '
        f'exist (looked in {Path.cwd()} and in mmwsis).'
    )


def _weak_labels(spec: Mapping[str, Any]) -> list[Requirement]:
    """Weak label files come from masks, from a generator, or have to be drawn."""
    train = spec.get('train') or {}
    root = spec.get('data_root') or ''
    panoptic = train.get('panoptic') or {}
    strong = train.get('ann_file') or panoptic.get('ann_file')
    found = []
    for level, file in (train.get('weak') or {}).items():
        path = os.path.join(root, file)
        if spec.get('generator'):
            command = f'python {spec["generator"]} --out {shlex.quote(root)}'
        elif strong is None:
            command = train.get('weak_command') or (
                f'an annotation tool: it is data_spec.train.weak.{level} of '
                f'{spec.get("file", "the dataset file")}'
            )
        else:
            source = os.path.join(root, strong)
            words = ['python', 'tools/dataset_converters/coco2weak.py', source]
            words += ['--level', level, '--out', path]
            if train.get('ann_file') is None:
                words += ['--panoptic-dir', os.path.join(root, panoptic['seg'])]
            command = shlex.join(words)
        found.append(Requirement(path, command))
    return found
