"""Checks before a run: cheap now, instead of an error or silent nonsense an hour later.

- Files that an earlier stage makes are there (:func:`missing_requirements`).
- Class names of the config, categories of the annotation files and ``num_classes`` of
  the model agree (:func:`class_problems`).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmwsis.formats.categories import alike_hint, name_list, read_categories
from mmwsis.formats.coco_file import read_json
from mmwsis.formats.map_index import INDEX_NAME
from mmwsis.formats.validation import Issue
from mmwsis.registry import TRANSFORMS
from mmwsis.structures.supervision import Supervision
from mmwsis.utils.config_files import paths_named_in

from .fit_model import counts_classes
from .requirements import requirements_of

SPLITS = ('train', 'val', 'test')
_COUNT_KEYS = ('num_classes', 'num_things_classes', 'num_stuff_classes')


class PreflightError(ValueError):
    """A config and its data do not fit together."""


class DatasetClasses(NamedTuple):
    """The class names that one dataset of a config will be read with.

    Args:
        where: Place in the config, for example ``train_dataloader.dataset``.
        names: Class names in the order of the labels.
        ann_file: Annotation file, ``None`` if it is not a local JSON file.
        by_name: Whether the dataset maps categories to labels by name; MMDetection's
            own ones do so by their order in the file.
        supervision: Level that the file is read at; None: not a COCO instances file.
        images: Folder that ``file_name`` is relative to.
        stuff: How many of the names, the last ones, are stuff.
        config: The dataset's part of the config.
        evaluator: What the config measures on it, as in the config.
    """

    where: str
    names: tuple[str, ...]
    ann_file: Path | None
    by_name: bool
    supervision: str | None
    images: Path
    stuff: int = 0
    config: Any = None
    evaluator: Any = None


def missing_requirements(cfg: Config, reader: Any = None) -> dict[str, str]:
    """Find the files which earlier stages make and that are not there.

    Args:
        cfg: Config; its ``wsis`` names the configs of the stages before it, see
            :mod:`mmwsis.engine.requirements`.
        reader: The part of the config that is going to read files; all of it by
            default. A path that it does not name is not asked for: an option has put
            another in its place.

    Returns:
        Path -> what is wrong with it, and the command that makes it.

    Raises:
        FileNotFoundError: A config in ``wsis`` does not exist.
    """
    settings = (cfg if reader is None else Config(reader)).to_dict()
    settings.pop('wsis', None)
    if reader is None:
        settings = {k: v for k, v in settings.items() if not _is_variable(k, v)}
    read = set(map(Path, paths_named_in(settings)))
    missing = {}
    for path, command in requirements_of(cfg):
        if '://' in path or Path(path) not in read:
            continue
        if not Path(path).exists():
            state = 'does not exist'
        elif Path(path).is_file() and os.path.getsize(path) == 0:
            state = 'is empty'
        elif _is_unfinished(Path(path)):
            state = 'is not finished'
        else:
            continue
        missing[path] = f'  {path} {state}. Make it with\n    {command}'
    return missing


def _is_variable(key: str, value: Any) -> bool:
    """Whether an entry only helped to write the config, as in MMDetection's."""
    if isinstance(value, str):
        return key != 'load_from'
    steps = value if isinstance(value, list) and value else [value]
    return key.endswith('_pipeline') or all(map(_is_transform, steps))


def _is_transform(value: Any) -> bool:
    kind = value.get('type') if isinstance(value, dict) else None
    return isinstance(kind, str) and TRANSFORMS.get(kind) is not None


def _is_unfinished(path: Path) -> bool:
    """Whether a folder of maps is being filled, or the run that did so was killed."""
    if not path.is_dir() or (path / INDEX_NAME).exists():
        return False
    return path.with_name(f'{path.name}.parts').exists()


def class_problems(
    cfg: Config,
    splits: Sequence[str] = SPLITS,
    stand_in: Callable[[Path], Path | None] = Path,
) -> Iterator[Issue]:
    """Find where class names, annotation files and the model do not agree.

    Args:
        cfg: Config of a run.
        splits: Which data loaders to look at.
        stand_in: Gives the file to read for an annotation file, or None to read none.
            Defaults to the file itself.

    Yields:
        Issues of the ``config-`` rules.

    Raises:
        PreflightError: Classes that cannot be compared at all.
        FileNotFoundError: An annotation file does not exist.
    """
    found = datasets_of(cfg, splits)
    for classes in found:
        file = classes.ann_file and stand_in(classes.ann_file)
        if file is not None:
            yield from file_problems(classes, _category_names(file, classes), str(file))
    yield from model_problems(cfg, found)


def _category_names(file: Path, classes: DatasetClasses) -> list[str]:
    if not file.is_file():
        raise FileNotFoundError(
            f'{classes.where}.ann_file does not exist: {file} (looked in {Path.cwd()})'
        )
    categories = read_categories(file)
    if categories is None:
        read_json(str(file))  # says where it breaks, if it does
        raise PreflightError(
            f'{file} has no list "categories" of {{"id", "name"}}; is it a COCO '
            'annotation file?'
        )
    return [item['name'] for item in categories]


def datasets_of(cfg: Config, splits: Sequence[str] = SPLITS) -> list[DatasetClasses]:
    """Datasets of a config that state classes, wrapped ones too.

    Args:
        cfg: Config of a run.
        splits: Which data loaders to look at.

    Returns:
        Their classes and files; no file is opened.

    Raises:
        PreflightError: A dataset of an unknown type, or classes that are a text.
    """
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    found = []
    for split in splits:
        loader = cfg.get(f'{split}_dataloader') or {}
        if loader.get('dataset'):
            where = f'{split}_dataloader.dataset'
            evaluator = cfg.get(f'{split}_evaluator')
            found += [
                dataset._replace(evaluator=evaluator)
                for dataset in _walk_dataset(loader['dataset'], where)
            ]
    return found


def model_problems(cfg: Config, found: Sequence[DatasetClasses]) -> Iterator[Issue]:
    """Compare the splits with each other, and the model with the first.

    Args:
        cfg: Config of a run.
        found: Of :func:`datasets_of`.

    Yields:
        Issues of ``config-splits`` and ``config-num-classes``.
    """
    for first, second in zip(found, found[1:]):
        if first.names != second.names:
            yield Issue(
                'config-splits',
                f'{first.where} and {second.where} have different classes: '
                + _difference(first.names, 'the first', second.names, 'the second'),
            )
    if not found:
        return
    first = found[0]
    for where, count in _counts(cfg.get('model', {}), 'model'):
        allowed = _allowed_counts(where.rpartition('.')[2], first)
        if count not in allowed:
            yield Issue(
                'config-num-classes',
                f'{where} is {count}, but {first.where} has {len(first.names)} classes '
                f'({name_list(first.names)}). Set {where}='
                f'{" or ".join(map(str, allowed))}, or correct metainfo.classes; '
                '--dataset FILE does both for a dataset of your own.',
            )


def _allowed_counts(key: str, classes: DatasetClasses) -> list[int]:
    """Numbers that a key of a model may have."""
    things = len(classes.names) - classes.stuff
    if key == 'num_things_classes':
        return [things]
    if key == 'num_stuff_classes':
        return [classes.stuff]
    # In a panoptic model some parts count things alone, others stuff, too.
    return sorted({things, len(classes.names)})


def _walk_dataset(dataset: Any, where: str) -> Iterator[DatasetClasses]:
    """Yield the classes of a dataset, or of those that a wrapper contains."""
    if 'datasets' in dataset:
        for index, inner in enumerate(dataset['datasets']):
            yield from _walk_dataset(inner, f'{where}.datasets.{index}')
        return
    if 'dataset' in dataset:
        yield from _walk_dataset(dataset['dataset'], f'{where}.dataset')
        return
    kind = _dataset_class(dataset)
    # As MMEngine does: what the config does not say is that of the type.
    metainfo = {
        **(getattr(kind, 'METAINFO', None) or {}),
        **(dataset.get('metainfo') or {}),
    }
    names = metainfo.get('classes')
    if not names:
        return
    image_prefix = (dataset.get('data_prefix') or {}).get('img') or ''
    by_name = getattr(kind, '__module__', '').startswith('mmwsis.')
    yield DatasetClasses(
        where,
        _as_names(names, where),
        _annotation_file(dataset, kind),
        by_name,
        _supervision(dataset, kind),
        Path(dataset.get('data_root') or '', image_prefix),
        len(set(metainfo.get('stuff_classes') or ()) & set(names)),
        dataset,
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
        raise PreflightError(f'unknown dataset type {kind!r}')
    return found


def _supervision(dataset: Any, kind: Any) -> str | None:
    """Level that a dataset reads its file at; MMDetection's own ones read all."""
    if dataset.get('supervision') is not None:
        return Supervision.parse(dataset['supervision']).label
    bases = _bases(kind)
    is_instances = 'CocoDataset' in bases and 'CocoPanopticDataset' not in bases
    return Supervision.MASKS.label if is_instances else None


def _bases(kind: Any) -> list[str]:
    return [base.__name__ for base in getattr(kind, '__mro__', ())]


def _annotation_file(dataset: Any, kind: Any) -> Path | None:
    name = dataset.get('ann_file') or ''
    root = dataset.get('data_root') or ''
    remote = '://' in name or '://' in root or dataset.get('backend_args')
    # Those of COCO read JSON whatever its name is.
    is_json = name.endswith('.json') or 'CocoDataset' in _bases(kind)
    if not name or not is_json or remote:
        return None
    return Path(root, name)


def file_problems(
    classes: DatasetClasses, names: Sequence[str], path: str
) -> Iterator[Issue]:
    """Compare the classes of a dataset with the categories of its file.

    Args:
        classes: Of :func:`datasets_of`.
        names: Names of the categories in the order of the file.
        path: The file, for messages.

    Yields:
        Issues of ``config-classes``, ``config-order`` and ``category-duplicate``.
    """
    wanted = set(classes.names)
    if wanted - set(names):
        yield Issue(
            'config-classes',
            f'{classes.where}.metainfo.classes and the categories of {path} do not '
            'agree: '
            + _difference(classes.names, 'the config', names, 'the file')
            + '. Names are compared letter by letter, capitals too.'
            + alike_hint(wanted - set(names), names),
        )
        return
    kept = [name for name in names if name in wanted]
    if len(kept) != len(wanted):
        twice = sorted({name for name in kept if kept.count(name) > 1})
        yield Issue(
            'category-duplicate',
            f'{path} has several categories of the same name: {twice}',
        )
    elif not classes.by_name and kept != list(classes.names):
        yield Issue(
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
            elif counts_classes(key, value):
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
            parts.append(f'only in {place}: {name_list(only)}')
    return '; '.join(parts) or 'the same names in another order'
