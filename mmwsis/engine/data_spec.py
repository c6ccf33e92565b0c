"""One small file that fits every shipped config to another dataset.

A dataset file is an MMEngine config with one entry::

    data_spec = dict(
        name='bolts',                     # folder below work_dirs/
        data_root='bolts/',               # the other paths are relative to it
        classes=('bolt',),                # default: all classes of the training file
        train=dict(
            img='images/',
            ann_file='train.json',        # masks, if there are any
            weak=dict(extreme_points='extreme_points.json'),
            # Without masks: what makes `weak`, for the message that a file is missing.
            weak_command='python convert.py', # default: an annotation tool
        ),
        val=dict(img='images/', ann_file='val.json'),     # masks, to measure on
        image_scale=(1024, 768),          # width, height; default: the config's own
    )

A panoptic one has, on top of that or instead of the files of instances::

        stuff_classes=('table',),         # ``classes`` are the things
        train=dict(..., panoptic=dict(ann_file='panoptic_train.json',
                                      seg='panoptic_train/')),
        val=dict(..., panoptic=dict(ann_file='panoptic_val.json', seg='panoptic_val/')),

``--dataset FILE`` of the tools reads it and rewrites a config with it, so that a new
dataset needs this file and nothing else.
"""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.formats.categories import read_categories
from mmwsis.formats.coco_file import read_json
from mmwsis.utils.config_files import read_config

from .fit_config import apply_data_spec

__all__ = ['apply_data_spec', 'load_data_spec']

_KEYS = ('name', 'data_root', 'classes', 'stuff_classes', 'palette')
_KEYS += ('train', 'val', 'image_scale', 'generator')
_TRAIN_KEYS = ('ann_file', 'img', 'weak', 'weak_command', 'panoptic')
_VAL_KEYS = ('ann_file', 'img', 'panoptic')
_PANOPTIC_KEYS = ('ann_file', 'seg')
_WEAK_KEYS = ('image_tags', 'points', 'boxes', 'extreme_points')


def load_data_spec(path: str | os.PathLike) -> dict[str, Any]:
    """Read and check a dataset file.

    Args:
        path: Python file (or JSON, YAML) with ``data_spec = dict(...)``; the module's
            docstring shows one.

    Returns:
        ``file``, the given path; ``name``; ``data_root`` without a trailing slash;
        ``classes``, a tuple, and ``stuff_classes``, a tuple that is empty unless stuff
        is given; ``palette``, the RGB of things, then stuff, or None;
        ``train`` with ``ann_file`` (or None), ``img``, ``panoptic`` (``ann_file`` and
        ``seg``, or None) and ``weak``, which has a path for every level whether that
        file exists or not; ``val`` with ``ann_file``, ``img`` and ``panoptic``, or
        None; ``image_scale``, (width, height) or None; ``generator``, the tool that
        draws the dataset, or None. All paths but that of the tool are relative to
        ``data_root``.

    Raises:
        FileNotFoundError: The file, its data root, an image folder or a label file that
            it names does not exist.
        ValueError: A key is missing, unknown, or of the wrong kind.
    """
    where = str(path)
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'Dataset file {where} does not exist (looked in {Path.cwd()}).'
        )
    cfg = read_config(path)
    if not isinstance(cfg.get('data_spec'), dict):
        raise ValueError(
            f'{where} is no dataset file: it has no `data_spec = dict(...)`; it has '
            f'{sorted(cfg.keys())}. docs/custom_dataset.md shows one.'
        )
    spec = cfg.data_spec.to_dict()
    _check_keys(spec, _KEYS, ('name', 'data_root', 'train'), f'{where}: data_spec')
    name = spec['name']
    if (
        not isinstance(name, str)
        or not re.fullmatch(r'[^/\\\s\0]{1,100}', name)
        or (name.startswith('.'))
    ):
        raise ValueError(
            f'{where}: data_spec.name must be a short name without blanks or slashes, '
            f'because it names a folder; got {str(name)[:40]!r}.'
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
    val = _val_part(spec.get('val'), root, where)
    classes, stuff = _classes(spec, train, val, root, where)
    return dict(
        file=where,
        name=name,
        data_root=root,
        classes=classes,
        stuff_classes=stuff,
        palette=_palette(spec.get('palette'), len(classes + stuff), where),
        train=train,
        val=val,
        image_scale=_image_scale(spec.get('image_scale'), where),
        generator=_generator(spec.get('generator'), where),
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
    if not isinstance(value, str) or not value or '\0' in value:
        raise ValueError(f'{where}: data_spec.{key} must be a path; got {value!r}.')
    return value


def _relative(value: Any, root: str, key: str, where: str) -> str:
    """A path below the data root; absolute ones become relative."""
    text = os.path.expanduser(_text(value, key, where))
    return os.path.relpath(text, os.path.abspath(root)) if os.path.isabs(text) else text


def _existing_folder(
    value: Any, root: str, key: str, where: str, what: str = 'image folder'
) -> str:
    # LVIS names its images from the root of COCO: an empty prefix is fine.
    folder = _relative(value, root, key, where) if value else ''
    if not os.path.isdir(os.path.join(root, folder)):
        raise FileNotFoundError(
            f'{where}: data_spec.{key}: there is no {what} '
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
    weak = given.get('weak')
    weak = {} if weak is None else weak
    _check_keys(weak, _WEAK_KEYS, (), f'{where}: data_spec.train.weak')
    ann_file = given.get('ann_file')
    panoptic = _panoptic_part(given.get('panoptic'), root, 'train', where)
    if ann_file is None and panoptic is None and not weak:
        raise ValueError(
            f'{where}: data_spec.train has no labels: give ann_file (masks), or '
            "weak=dict(extreme_points='...') or weak=dict(boxes='...')."
        )
    if ann_file is not None:
        ann_file = _existing_file(ann_file, root, 'train.ann_file', where)
    strong = ann_file or (panoptic and panoptic['ann_file'])
    for level in weak:
        key = f'train.weak.{level}'
        # With masks, a missing weak file is one that coco2weak.py has yet to write.
        check = _existing_file if strong is None else _relative
        weak[level] = check(weak[level], root, key, where)
    source = Path(strong or next(iter(weak.values()))).stem
    split = source.removeprefix('instances_')
    for level in _WEAK_KEYS:
        split = split.removeprefix(f'{level}_')
    for level in _WEAK_KEYS:
        weak.setdefault(level, f'weak/{level}_{split}.json')
    return dict(
        ann_file=ann_file,
        img=_existing_folder(given.get('img'), root, 'train.img', where),
        weak=weak,
        panoptic=panoptic,
    )


def _val_part(given: Any, root: str, where: str) -> dict[str, Any] | None:
    if given is None:
        return None
    panoptic = isinstance(given, dict) and given.get('panoptic')
    needed = () if panoptic else ('ann_file',)
    _check_keys(given, _VAL_KEYS, needed, f'{where}: data_spec.val')
    ann_file = given.get('ann_file')
    if ann_file is not None:
        ann_file = _existing_file(ann_file, root, 'val.ann_file', where)
    return dict(
        ann_file=ann_file,
        img=_existing_folder(given.get('img'), root, 'val.img', where),
        panoptic=_panoptic_part(panoptic or None, root, 'val', where),
    )


def _panoptic_part(
    given: Any, root: str, part: str, where: str
) -> dict[str, str] | None:
    if given is None:
        return None
    key = f'{part}.panoptic'
    _check_keys(given, _PANOPTIC_KEYS, ('ann_file',), f'{where}: data_spec.{key}')
    ann_file = _existing_file(given['ann_file'], root, f'{key}.ann_file', where)
    # COCO's own layout: the PNGs lie in the folder beside the file that bears its name.
    seg = given.get('seg') or ann_file.removesuffix('.json')
    return dict(
        ann_file=ann_file,
        seg=_existing_folder(seg, root, f'{key}.seg', where, 'folder of PNGs'),
    )


def _classes(
    spec: Mapping[str, Any],
    train: Mapping[str, Any],
    val: Mapping[str, Any] | None,
    root: str,
    where: str,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the things and of the stuff."""
    given = {key: spec.get(key) for key in ('classes', 'stuff_classes')}
    for key, names in given.items():
        if isinstance(names, str):
            raise ValueError(
                f'{where}: data_spec.{key} must be a tuple of names; got the string '
                f'{names!r}. A single class is written ({names!r},) with the comma.'
            )
        good = isinstance(names, (list, tuple)) and all(
            isinstance(one, str) and one for one in names
        )
        if names is not None and not good:
            raise ValueError(
                f'{where}: data_spec.{key} must be a tuple of names; got {names!r}.'
            )
    panoptic = [part['panoptic'] for part in (train, val or {}) if part.get('panoptic')]
    categories = []
    if given['classes'] is None or (panoptic and given['stuff_classes'] is None):
        files = [part['ann_file'] for part in panoptic[-1:]]  # the smaller one
        files += [train['ann_file'], *train['weak'].values()]
        paths = [os.path.join(root, file) for file in files if file]
        file = next(path for path in paths if os.path.isfile(path))
        categories = read_categories(file)
        if categories is None:
            read_json(file)  # says where it breaks, if it does
            raise ValueError(f'{file} has no list "categories" of {{"id", "name"}}')
    stuff = [entry['name'] for entry in categories if not entry.get('isthing', 1)]
    if given['classes'] is not None:
        things = tuple(given['classes'])
    else:
        things = tuple(x['name'] for x in categories if x['name'] not in stuff)
    if given['stuff_classes'] is not None:
        stuff = given['stuff_classes']
    names = (*things, *stuff)
    if not things or len(set(names)) != len(names):
        raise ValueError(
            f'{where}: data_spec.classes (and stuff_classes) must be different names, '
            f'at least one; got {names}.'
        )
    for part in panoptic:
        _check_order(names, os.path.join(root, part['ann_file']), where)
    return things, tuple(stuff)


def _check_order(names: Sequence[str], file: str, where: str) -> None:
    """Panoptic labels are numbered by the order of the file, things first."""
    listed = [x['name'] for x in read_categories(file) or [] if x['name'] in names]
    if set(listed) == set(names) and listed != list(names):
        raise ValueError(
            f'{where}: {file} lists its categories as {listed}, but MMDetection '
            f'numbers labels by that order and needs things, then stuff: {[*names]}. '
            'Reorder the list in the file (ids may stay), or data_spec.classes and '
            'stuff_classes.'
        )


def _palette(given: Any, count: int, where: str) -> list[tuple[int, int, int]] | None:
    if given is None:
        return None
    good = isinstance(given, (list, tuple)) and all(
        isinstance(color, (list, tuple))
        and len(color) == 3
        and all(type(part) is int and 0 <= part <= 255 for part in color)
        for color in given
    )
    if not good or len(given) != count:
        raise ValueError(
            f'{where}: data_spec.palette must be one (red, green, blue), integers from '
            f'0 to 255, for each of the {count} classes, things before stuff; got '
            f'{given!r}.'
        )
    return [tuple(color) for color in given]


def _generator(given: Any, where: str) -> str | None:
    return None if given is None else _text(given, 'generator', where)


def _image_scale(given: Any, where: str) -> tuple[int, int] | None:
    if given is None:
        return None
    good = isinstance(given, (list, tuple)) and len(given) == 2
    if not good or not all(type(side) is int and side > 0 for side in given):
        raise ValueError(
            f'{where}: data_spec.image_scale must be (width, height) in pixels; got '
            f'{given!r}.'
        )
    return tuple(given)
