"""Disk space that a run will need, from what its config and label file say.

Every estimate has two bounds: a run that lacks the lower one surely fails, one that
lacks the upper one may. Per file or object they are

===============  =======================================  ==============================
what             at least                                 at most
===============  =======================================  ==============================
class maps       1/20 of that (mostly zeros, compressed)  2 bytes per pixel and tag of
                                                          the image, and 1/16 of it for
                                                          the maps of the network's size
semantic maps    200 bytes per image                      1/4 byte per pixel
proposals        15 KB per image                          1 MB per image, 1,000 of them
points           120 bytes per image                      and 25 points per tag of it
object masks     150 bytes per object                     4,000 bytes per object, twice:
                                                          part files, then the result
checkpoints      the weights, once                        three times the weights (the
                                                          optimizer), for all that stay
===============  =======================================  ==============================
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmwsis.formats.coco_file import read_json
from mmwsis.pseudo_labels.artifacts import artifact_settings

from .label_files import CHEAP_MEGABYTES

_HALF_FLOAT = 2
_NETWORK_SIZE = 1 + 1 / 16
_COMPRESSED = 1 / 20
_PNG = (200, 1 / 4)
_RLE = (150, 2 * 4000)
_PROPOSALS = (15_000, 1_000_000)
_POINT, _POINTS_OF_CLASS = 120, 25
_OPTIMIZER = 3
_MEBIBYTE = 2**20


class Need(NamedTuple):
    """Bytes that something will take.

    Args:
        what: Such as ``'class maps'``.
        place: File or folder that is written.
        least: Lower bound, in bytes.
        most: Upper bound, in bytes.
    """

    what: str
    place: Path
    least: float
    most: float


def artifact_space(
    artifact: Any, out: str | os.PathLike, file: str | os.PathLike
) -> list[Need]:
    """Estimate what label generation will write.

    Args:
        artifact: As in a config.
        out: File or folder that it makes; what lies there already is taken off.
        file: Label file that it reads.

    Returns:
        One need; none where the label file is too large to be read now.
    """
    if os.path.getsize(file) > CHEAP_MEGABYTES * _MEBIBYTE:
        return []
    kind = artifact_settings(artifact)['type']
    place = Path(out)
    there = _size(place) + _size(place.with_name(f'{place.name}.parts'))
    bounds = _bounds(kind, read_json(str(file)))
    least, most = (max(0, bound - there) for bound in bounds)
    return [Need(kind.replace('_', ' '), place, least, most)]


def checkpoint_space(cfg: Config, megabytes: float) -> list[Need]:
    """Estimate what training will write.

    Args:
        cfg: Config of the run.
        megabytes: Size of the model's weights, in units of 2**20 bytes; 0 if it is not
            known.

    Returns:
        One need, or none.
    """
    weights = megabytes * _MEBIBYTE
    if not weights or not cfg.get('work_dir'):
        return []
    most = weights * _OPTIMIZER * _kept_checkpoints(cfg)
    return [Need('checkpoints', Path(cfg.work_dir), weights, most)]


def space_problems(needs: Sequence[Need]) -> tuple[list[str], list[str]]:
    """Compare needs with what is free; those on the same disk add up.

    Args:
        needs: Of one run or of several that follow each other.

    Returns:
        Errors, and warnings.
    """
    disks: dict[int, list[Need]] = {}
    for need in needs:
        disks.setdefault(os.stat(_existing(need.place)).st_dev, []).append(need)
    errors, warnings = [], []
    for there in disks.values():
        least, most = (sum(getattr(n, key) for n in there) for key in ('least', 'most'))
        place = _existing(there[0].place)
        free = shutil.disk_usage(place).free
        if most <= free:
            continue
        listed = ', '.join(
            f'{need.what} {need.place}: {_text(need.least)} to {_text(need.most)}'
            for need in there
        )
        text = (
            f'{_text(free)} are free on the disk of {place}, and this run writes '
            f'{_text(least)} to {_text(most)} there ({listed}). '
        )
        if least > free:
            errors.append(text + 'Make room, or name another disk.')
        else:
            warnings.append(text + 'It may become full.')
    return errors, warnings


def _bounds(kind: str, document: Mapping[str, Any]) -> tuple[float, float]:
    """Bytes of an artifact, at least and at most."""
    images = [one for one in document.get('images', []) if isinstance(one, Mapping)]
    pixels = [_number(one.get('width')) * _number(one.get('height')) for one in images]
    if kind == 'class_maps':
        tags = [len(one.get('tags') or ()) for one in images]
        most = sum(area * count for area, count in zip(pixels, tags, strict=True))
        most *= _HALF_FLOAT * _NETWORK_SIZE
        return _COMPRESSED * most, most
    if kind in ('semantic_maps', 'panoptic_maps'):
        return _PNG[0] * len(images), _PNG[1] * sum(pixels) + _PNG[0] * len(images)
    if kind == 'proposals':
        return _PROPOSALS[0] * len(images), _PROPOSALS[1] * len(images)
    if kind == 'points':
        tags = sum(len(one.get('tags') or ()) for one in images)
        return _POINT * len(images), _POINT * (len(images) + _POINTS_OF_CLASS * tags)
    objects = len(document.get('annotations') or ()) or len(images)
    return _RLE[0] * objects, _RLE[1] * objects


def _number(value: Any) -> float:
    return value if isinstance(value, (int, float)) and value > 0 else 0


def _kept_checkpoints(cfg: Config) -> int:
    """How many checkpoints lie there at the end."""
    train = cfg.get('train_cfg') or {}
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    length = train.get('max_iters') or train.get('max_epochs') or 1
    interval = hook.get('interval') or 1
    written = max(1, length // interval) if interval > 0 else 1
    kept = hook.get('max_keep_ckpts') or -1
    # One more is written before the oldest goes.
    written = min(written, kept + 1) if kept > 0 else written
    return written + (1 if hook.get('save_best') else 0)


def _existing(path: Path) -> Path:
    place = Path(os.path.abspath(path))
    return next(one for one in (place, *place.parents) if one.exists())


def _size(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob('*') if one.is_file())
    return path.stat().st_size if path.is_file() else 0


def _text(number: float) -> str:
    """Bytes for people."""
    units = ['bytes', 'KB', 'MB', 'GB', 'TB']
    while number >= 1000 and len(units) > 1:
        number /= 1000
        del units[0]
    unit = units[0]
    return f'{number:.0f} {unit}' if number >= 10 else f'{number:.1f} {unit}'
