"""One small file that fits every shipped config to another data set.

A data set file is an MMEngine config with one entry::

    data_spec = dict(
        name='bolts',                     # folder below work_dirs/
        data_root='bolts/',               # the other paths are relative to it
        classes=('bolt',),                # default: all classes of the training file
        train=dict(
            img='images/',
            ann_file='train.json',        # masks, if there are any
            weak=dict(extreme_points='extreme_points.json'),
        ),
        val=dict(img='images/', ann_file='val.json'),     # masks, to measure on
        image_scale=(1024, 768),          # width, height; default: the config's own
    )

``--dataset FILE`` of the tools reads it and rewrites a config with it, so that a new
data set needs this file and nothing else.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .annotation_file import read_json
from .fit_config import apply_data_spec

__all__ = ['apply_data_spec', 'load_data_spec']

_KEYS = ('name', 'data_root', 'classes', 'train', 'val', 'image_scale', 'generator')
_TRAIN_KEYS = ('ann_file', 'img', 'weak')
_VAL_KEYS = ('ann_file', 'img')
_WEAK_KEYS = ('image_tags', 'points', 'boxes', 'extreme_points')


def load_data_spec(path: str | os.PathLike) -> dict[str, Any]:
    """Read and check a data set file.

    Args:
        path: Python file (or JSON, YAML) with ``data_spec = dict(...)``; the module's
            docstring shows one.

    Returns:
        ``file``, the given path; ``name``; ``data_root`` without a trailing slash;
        ``classes``, a tuple;
        ``train`` with ``ann_file`` (or None), ``img`` and ``weak``, which has a path
        for 'boxes' and 'extreme_points' whether that file exists or not; ``val`` with
        ``ann_file`` and ``img``, or None; ``image_scale``, (width, height) or None;
        ``generator``, the tool that draws the data set, or None. All paths but that of
        the tool are relative to ``data_root``.

    Raises:
        FileNotFoundError: The file, its data root, an image folder or a label file that
            it names does not exist.
        ValueError: A key is missing, unknown, or of the wrong kind.
    """
    where = str(path)
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'Data set file {where} does not exist (looked in {Path.cwd()}).'
        )
    cfg = Config.fromfile(path)
    if not isinstance(cfg.get('data_spec'), dict):
        raise ValueError(
            f'{where} is no data set file: it has no `data_spec = dict(...)`; it has '
            f'{sorted(cfg.keys())}. docs/custom_dataset.md shows one.'
        )
    spec = cfg.data_spec.to_dict()
    _check_keys(spec, _KEYS, ('name', 'data_root', 'train'), f'{where}: data_spec')
    name = spec['name']
    if not isinstance(name, str) or not name or set(name) & set('/\\ '):
        raise ValueError(
            f'{where}: data_spec.name must be a short name without blanks or slashes, '
            f'because it names a folder; got {name!r}.'
        )
    root = os.path.normpath(
        os.path.expanduser(_text(spec['data_root'], 'data_root', where))
    )
    if not os.path.isdir(root):
        raise FileNotFoundError(
            f'{where}: data_root {spec["data_root"]!r} is no folder (looked in '
            f'{Path.cwd()}; a relative path starts where the tool is run).'
        )
    train = _train_part(spec['train'], root, where)
    return dict(
        file=where,
        name=name,
        data_root=root,
        classes=_classes(spec.get('classes'), train, root, where),
        train=train,
        val=_val_part(spec.get('val'), root, where),
        image_scale=_image_scale(spec.get('image_scale'), where),
        generator=spec.get('generator'),
    )


def _check_keys(
    given: Any, known: tuple[str, ...], needed: tuple[str, ...], where: str
) -> None:
    if not isinstance(given, dict):
        raise ValueError(f'{where} must be a dict with {known}; got {given!r}.')
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f'did you mean {close[0]!r}?' if close else f'known are {known}.'
            raise ValueError(f'{where} has the unknown key {key!r}; {hint}')
    missing = [key for key in needed if given.get(key) is None]
    if missing:
        raise ValueError(f'{where} lacks {missing}; it has {sorted(given)}.')


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f'{where}: data_spec.{key} must be a path; got {value!r}.')
    return value


def _relative(value: Any, root: str, key: str, where: str) -> str:
    """A path below the data root; absolute ones become relative."""
    text = os.path.expanduser(_text(value, key, where))
    return os.path.relpath(text, os.path.abspath(root)) if os.path.isabs(text) else text


def _existing_folder(value: Any, root: str, key: str, where: str) -> str:
    # LVIS names its images from the root of COCO: an empty prefix is fine.
    folder = _relative(value, root, key, where) if value else ''
    if not os.path.isdir(os.path.join(root, folder)):
        raise FileNotFoundError(
            f'{where}: data_spec.{key}: there is no image folder '
            f'{os.path.join(root, folder)}. It is relative to data_root={root!r}.'
        )
    return os.path.join(folder, '') if folder else ''


def _existing_file(value: Any, root: str, key: str, where: str) -> str:
    file = _relative(value, root, key, where)
    if not os.path.isfile(os.path.join(root, file)):
        raise FileNotFoundError(
            f'{where}: data_spec.{key}: there is no file {os.path.join(root, file)}. '
            f'It is relative to data_root={root!r}.'
        )
    return file


def _train_part(given: Any, root: str, where: str) -> dict[str, Any]:
    _check_keys(given, _TRAIN_KEYS, (), f'{where}: data_spec.train')
    weak = dict(given.get('weak') or {})
    _check_keys(weak, _WEAK_KEYS, (), f'{where}: data_spec.train.weak')
    ann_file = given.get('ann_file')
    if ann_file is None and not weak:
        raise ValueError(
            f'{where}: data_spec.train has no labels: give ann_file (masks), or '
            "weak=dict(extreme_points='...') or weak=dict(boxes='...')."
        )
    if ann_file is not None:
        ann_file = _existing_file(ann_file, root, 'train.ann_file', where)
    for level in weak:
        key = f'train.weak.{level}'
        # With masks, a missing weak file is one that coco2weak.py has yet to write.
        check = _existing_file if ann_file is None else _relative
        weak[level] = check(weak[level], root, key, where)
    source = Path(ann_file or next(iter(weak.values()))).stem
    split = source.removeprefix('instances_')
    for level in _WEAK_KEYS:
        split = split.removeprefix(f'{level}_')
    for level in _WEAK_KEYS:
        weak.setdefault(level, f'weak/{level}_{split}.json')
    return dict(
        ann_file=ann_file,
        img=_existing_folder(given.get('img'), root, 'train.img', where),
        weak=weak,
    )


def _val_part(given: Any, root: str, where: str) -> dict[str, Any] | None:
    if given is None:
        return None
    _check_keys(given, _VAL_KEYS, ('ann_file',), f'{where}: data_spec.val')
    return dict(
        ann_file=_existing_file(given['ann_file'], root, 'val.ann_file', where),
        img=_existing_folder(given.get('img'), root, 'val.img', where),
    )


def _classes(
    given: Any, train: Mapping[str, Any], root: str, where: str
) -> tuple[str, ...]:
    if isinstance(given, str):
        raise ValueError(
            f'{where}: data_spec.classes must be a tuple of names; got the string '
            f'{given!r}. A single class is written ({given!r},) with the comma.'
        )
    if given is not None:
        names = tuple(given)
    else:
        files = [train['ann_file'], *train['weak'].values()]
        paths = [os.path.join(root, file) for file in files if file]
        file = next(path for path in paths if os.path.isfile(path))
        categories = read_json(file).get('categories') or []
        names = tuple(category['name'] for category in categories)
    if not names or len(set(names)) != len(names):
        raise ValueError(
            f'{where}: data_spec.classes must be different names, at least one; got '
            f'{names}.'
        )
    return names


def _image_scale(given: Any, where: str) -> tuple[int, int] | None:
    if given is None:
        return None
    good = isinstance(given, (list, tuple)) and len(given) == 2
    if not good or not all(isinstance(side, int) and side > 0 for side in given):
        raise ValueError(
            f'{where}: data_spec.image_scale must be (width, height) in pixels; got '
            f'{given!r}.'
        )
    return tuple(given)
