"""Checks before a run: cheap now, instead of an error or silent nonsense an hour later.

- Files that an earlier stage makes are there (:func:`check_requirements`).
- Class names of the config, categories of the annotation files and ``num_classes`` of
  the model agree (:func:`check_classes`).
"""

import json
import mmap
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmwsis.datasets.annotation_file import read_json
from mmwsis.datasets.validation import Finding
from mmwsis.structures.supervision import Supervision

SPLITS = ('train', 'val', 'test')
# These parts of a model count something else than the classes of the data set.
_OTHER_COUNTS = {
    'backbone',
    'encoder',
    'semantic_head',
    'similarity_extractor',
    'data_preprocessor',
    'init_cfg',
}
_COUNT_KEYS = ('num_classes', 'num_things_classes')
_CATEGORIES_KEY = re.compile(rb'"categories"\s*:\s*(?=\[)')


class PreflightError(ValueError):
    """A config and its data do not fit together."""


class DatasetClasses(NamedTuple):
    """The class names that one data set of a config will be read with.

    Args:
        where: Place in the config, for example ``train_dataloader.dataset``.
        names: Class names in the order of the labels.
        ann_file: Annotation file, ``None`` if it is not a local JSON file.
        by_name: Whether the data set maps categories to labels by name; MMDetection's
            own ones do so by their order in the file.
        supervision: Level that the file is read at; None: not a COCO instances file.
        images: Folder that ``file_name`` is relative to.
    """

    where: str
    names: tuple[str, ...]
    ann_file: Path | None
    by_name: bool
    supervision: str | None
    images: Path


def check_requirements(cfg: Config) -> None:
    """Check that the files which earlier stages make are there.

    Args:
        cfg: Config; its ``wsis.requires`` lists ``dict(path=..., command=...)``.

    Raises:
        FileNotFoundError: Names every missing file and the command that makes it.
    """
    missing = []
    for item in cfg.get('wsis', {}).get('requires', None) or ():
        path = str(item['path'])
        if '://' in path:
            continue
        if not Path(path).exists():
            state = 'does not exist'
        elif Path(path).is_file() and os.path.getsize(path) == 0:
            state = 'is empty'
        else:
            continue
        missing.append(f'  {path} {state}. Make it with\n    {item["command"]}')
    if missing:
        raise FileNotFoundError(
            f'{cfg.filename or "this config"} needs what an earlier stage makes '
            f'(looked in {Path.cwd()}):\n' + '\n'.join(missing)
        )


def check_classes(cfg: Config, splits: Sequence[str] = SPLITS) -> None:
    """Check that class names, annotation files and the model agree.

    Args:
        cfg: Config of a run.
        splits: Which data loaders to look at: ``'train'``, ``'val'``, ``'test'``.

    Raises:
        PreflightError: Names on one side only, another order, or another count.
        FileNotFoundError: An annotation file does not exist.
    """
    for problem in class_problems(cfg, splits):
        raise PreflightError(problem.message)


def class_problems(cfg: Config, splits: Sequence[str] = SPLITS) -> Iterator[Finding]:
    """Find where class names, annotation files and the model do not agree.

    Args:
        cfg: Config of a run.
        splits: Which data loaders to look at.

    Yields:
        Findings of the ``config-`` rules.

    Raises:
        PreflightError: Classes that cannot be compared at all.
        FileNotFoundError: An annotation file does not exist.
    """
    found = datasets_of(cfg, splits)
    for classes in found:
        if classes.ann_file is not None:
            if not classes.ann_file.is_file():
                raise FileNotFoundError(
                    f'{classes.where}.ann_file does not exist: {classes.ann_file} '
                    f'(looked in {Path.cwd()})'
                )
            categories = read_categories(classes.ann_file)
            if categories is None:
                read_json(str(classes.ann_file))  # says where it breaks, if it does
                raise PreflightError(
                    f'{classes.ann_file} has no list "categories" of {{"id", "name"}}; '
                    'is it a COCO annotation file?'
                )
            names = [item['name'] for item in categories]
            yield from file_problems(classes, names, str(classes.ann_file))
    yield from model_problems(cfg, found)


def datasets_of(cfg: Config, splits: Sequence[str] = SPLITS) -> list[DatasetClasses]:
    """Data sets of a config that state classes, wrapped ones too.

    Args:
        cfg: Config of a run.
        splits: Which data loaders to look at.

    Returns:
        Their classes and files; no file is opened.

    Raises:
        PreflightError: A data set of an unknown type, or classes that are a text.
    """
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    return [
        classes
        for split in splits
        for classes in _classes_of(
            cfg.get(f'{split}_dataloader'), f'{split}_dataloader'
        )
    ]


def model_problems(cfg: Config, found: Sequence[DatasetClasses]) -> Iterator[Finding]:
    """Compare the splits with each other, and the model with the first.

    Args:
        cfg: Config of a run.
        found: Of :func:`datasets_of`.

    Yields:
        Findings of ``config-splits`` and ``config-num-classes``.
    """
    for first, second in zip(found, found[1:]):
        if first.names != second.names:
            yield Finding(
                'config-splits',
                f'{first.where} and {second.where} have different classes: '
                + _difference(first.names, 'the first', second.names, 'the second'),
            )
    if not found:
        return
    for where, count in _counts(cfg.get('model', {}), 'model'):
        if count != len(found[0].names):
            yield Finding(
                'config-num-classes',
                f'{where} is {count}, but {found[0].where} has '
                f'{len(found[0].names)} classes ({_shorten(found[0].names)}). Set '
                f'{where}={len(found[0].names)}, or correct metainfo.classes; '
                '--dataset FILE does both for a data set of your own.',
            )


def read_categories(path: str | os.PathLike) -> list[dict[str, Any]] | None:
    """Read only the categories of a COCO file, without parsing the rest.

    Args:
        path: Annotation file; those of COCO have 450 MB.

    Returns:
        The categories, ``None`` if the file has none.
    """
    if os.path.getsize(path) == 0:
        return None
    with (
        open(path, 'rb') as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        # The word may also stand in a text field or in `info`.
        for match in _CATEGORIES_KEY.finditer(data):
            for size in (1 << 16, 1 << 26):
                text = data[match.end() : match.end() + size].decode('utf-8', 'ignore')
                try:
                    categories, _ = json.JSONDecoder().raw_decode(text)
                except ValueError:
                    continue
                if _are_categories(categories):
                    return categories
                break
    return None


def _are_categories(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and 'id' in item and 'name' in item for item in value
    )


def _classes_of(loader: Any, where: str) -> Iterator[DatasetClasses]:
    if loader and loader.get('dataset'):
        yield from _walk_dataset(loader['dataset'], f'{where}.dataset')


def _walk_dataset(dataset: Any, where: str) -> Iterator[DatasetClasses]:
    """Yield the classes of a data set, or of those that a wrapper contains."""
    if 'datasets' in dataset:
        for index, inner in enumerate(dataset['datasets']):
            yield from _walk_dataset(inner, f'{where}.datasets.{index}')
        return
    if 'dataset' in dataset:
        yield from _walk_dataset(dataset['dataset'], f'{where}.dataset')
        return
    kind = _dataset_class(dataset)
    given = (dataset.get('metainfo') or {}).get('classes')
    default = (getattr(kind, 'METAINFO', None) or {}).get('classes')
    names = given if given is not None else default
    if not names:
        return
    by_name = getattr(kind, '__module__', '').startswith('mmwsis.')
    yield DatasetClasses(
        where,
        _as_names(names, where),
        _annotation_file(dataset),
        by_name,
        _supervision(dataset, kind),
        Path(dataset.get('data_root') or '', _image_prefix(dataset)),
    )


def _as_names(names: Any, where: str) -> tuple[str, ...]:
    if isinstance(names, str):
        raise PreflightError(
            f'{where}.metainfo.classes is the text {names!r}; a tuple of names is '
            f'needed. With one class, mind the comma: classes=({names!r},)'
        )
    return tuple(names)


def _dataset_class(dataset: Any) -> Any:
    kind = dataset.get('type')
    if not isinstance(kind, str):
        return kind
    with DATASETS.switch_scope_and_registry(dataset.get('_scope_')) as registry:
        found = registry.get(kind)
    if found is None:
        raise PreflightError(f'unknown data set type {kind!r}')
    return found


def _supervision(dataset: Any, kind: Any) -> str | None:
    """Level that a data set reads its file at; MMDetection's own ones read all."""
    if dataset.get('supervision') is not None:
        return Supervision.parse(dataset['supervision']).label
    bases = [base.__name__ for base in getattr(kind, '__mro__', ())]
    is_instances = 'CocoDataset' in bases and 'CocoPanopticDataset' not in bases
    return Supervision.MASKS.label if is_instances else None


def _image_prefix(dataset: Any) -> str:
    return (dataset.get('data_prefix') or {}).get('img') or ''


def _annotation_file(dataset: Any) -> Path | None:
    name = dataset.get('ann_file') or ''
    root = dataset.get('data_root') or ''
    remote = '://' in name or '://' in root or dataset.get('backend_args')
    if not name.endswith('.json') or remote:
        return None
    return Path(root, name)


def file_problems(
    classes: DatasetClasses, names: Sequence[str], path: str
) -> Iterator[Finding]:
    """Compare the classes of a data set with the categories of its file.

    Args:
        classes: Of :func:`datasets_of`.
        names: Names of the categories in the order of the file.
        path: The file, for messages.

    Yields:
        Findings of ``config-classes``, ``config-order`` and ``category-duplicate``.
    """
    wanted = set(classes.names)
    if wanted - set(names):
        yield Finding(
            'config-classes',
            f'{classes.where}.metainfo.classes and the categories of {path} do not '
            'agree: '
            + _difference(classes.names, 'the config', names, 'the file')
            + '. Names are compared letter by letter, capitals too.',
        )
        return
    kept = [name for name in names if name in wanted]
    if len(kept) != len(wanted):
        twice = sorted({name for name in kept if kept.count(name) > 1})
        yield Finding(
            'category-duplicate',
            f'{path} has several categories of the same name: {twice}',
        )
    elif not classes.by_name and kept != list(classes.names):
        yield Finding(
            'config-order',
            f'{path} lists its categories in another order than '
            f'{classes.where}.metainfo.classes, and MMDetection numbers labels by the '
            f'order in the file: every label would be read as another class. Write '
            f'metainfo.classes as {tuple(kept)}',
        )


def _counts(node: Any, where: str) -> Iterator[tuple[str, int]]:
    """Yield every number of classes that a model config states."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _COUNT_KEYS and isinstance(value, int):
                yield f'{where}.{key}', value
            elif key not in _OTHER_COUNTS:
                yield from _counts(value, f'{where}.{key}')
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _counts(value, f'{where}.{index}')


def _difference(
    first: Sequence[str], first_place: str, second: Sequence[str], second_place: str
) -> str:
    parts = []
    for names, other, place in (
        (first, second, first_place),
        (second, first, second_place),
    ):
        only = [name for name in names if name not in set(other)]
        if only:
            parts.append(f'only in {place}: {_shorten(only)}')
    return '; '.join(parts) or 'the same names in another order'


def _shorten(names: Sequence[str], limit: int = 20) -> str:
    text = ', '.join(map(repr, names[:limit]))
    more = len(names) - limit
    return f'{text} and {more} more' if more > 0 else text
