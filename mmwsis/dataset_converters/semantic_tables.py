"""What the values and colours of other projects' semantic maps stand for."""

import importlib
import inspect
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmwsis.formats.categories import look
from mmwsis.formats.checks import check_coco, check_document
from mmwsis.formats.json_file import read_json
from mmwsis.formats.semantic_maps import BACKGROUND, IGNORE_INDEX

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class SemanticTable:
    """The class table of a folder of semantic maps.

    Attributes:
        names: Value of a pixel -> name of its class. ``'background'`` is what no class
            of the dataset is.
        colours: Colour (R, G, B) -> name, where the maps may be painted. Defaults to
            none.
        ignored: Values, and colours, that are no class; 255 always is one. Defaults to
            none besides.
        seg_suffix: What names of maps have behind those of images. Defaults to
            ``'.png'``.
        img_suffix: What names of images have in its place; None is any ending. Defaults
            to None.
    """

    names: Mapping[int, str]
    colours: Mapping[Colour, str] = field(default_factory=dict)
    ignored: frozenset[Any] = frozenset((IGNORE_INDEX,))
    seg_suffix: str = '.png'
    img_suffix: str | None = None

    def __post_init__(self) -> None:
        names = [*self.names.values()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f'the class table names {twice} more than once')
        outside = [v for v in self.names if not 0 <= v < IGNORE_INDEX]
        if outside:
            raise ValueError(
                f'the class table has the value {outside[0]}; maps of 8 bits hold 0 to '
                f'{IGNORE_INDEX - 1}, {IGNORE_INDEX} is for what has no label'
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of their values."""
        return tuple(self.names[value] for value in sorted(self.names))

    def moved(self) -> 'SemanticTable':
        """The table with every class one value further, which leaves 0 free."""
        return replace(self, names={v + 1: name for v, name in self.names.items()})

    def without(self, names: Sequence[str]) -> 'SemanticTable':
        """The table with classes that are ignored.

        Args:
            names: Of the classes.

        Raises:
            ValueError: There is no such class.
        """
        unknown = [name for name in names if name not in self.classes]
        if unknown:
            raise ValueError(
                f'--ignore-classes names {unknown}; the table has {[*self.classes]}'
            )
        gone = {value for value, name in self.names.items() if name in names}
        gone |= {colour for colour, name in self.colours.items() if name in names}
        return replace(
            self,
            names={v: n for v, n in self.names.items() if v not in gone},
            colours={c: n for c, n in self.colours.items() if c not in gone},
            ignored=self.ignored | gone,
        )

    def renamed(self, new: Mapping[str, str]) -> 'SemanticTable':
        """The table with other names.

        Args:
            new: Name of the table -> name of the dataset.

        Raises:
            ValueError: There is no such class.
        """
        unknown = [name for name in new if name not in self.classes]
        if unknown:
            raise ValueError(
                f'--rename names {unknown}; the table has {[*self.classes]}'
            )
        return replace(
            self,
            names={value: new.get(name, name) for value, name in self.names.items()},
            colours={c: new.get(name, name) for c, name in self.colours.items()},
        )


def numbered(names: Sequence[str], **more: Any) -> SemanticTable:
    """A table of names in the order of their values.

    The spellings of labelling tools are known: ``_background_`` is the background, and
    ``__ignore__`` before it has no value of its own.

    Args:
        names: From value 0 on.
        **more: Further attributes of the table.
    """
    names = list(names)
    if names and look(names[0]) == 'ignore':
        names = names[1:]
    if names and look(names[0]) == BACKGROUND:
        names[0] = BACKGROUND
    if not names:
        raise ValueError('the class table is empty')
    return SemanticTable(dict(enumerate(names)), **more)


def mmseg_table(name: str, reduce_zero_label: bool | None = None) -> SemanticTable:
    """The table of a dataset of MMSegmentation.

    Args:
        name: Of its class, such as ``'PascalVOCDataset'``.
        reduce_zero_label: The maps have 0 where nothing is labelled, and the first
            class is 1. Defaults to what the dataset does.

    Raises:
        ValueError: There is no such dataset, or it names no classes.
    """
    known = importlib.import_module('mmseg.datasets')
    kind = getattr(known, name, None)
    classes = getattr(kind, 'METAINFO', {}).get('classes')
    if not classes:
        named = [
            one
            for one in known.__all__
            if getattr(getattr(known, one), 'METAINFO', {}).get('classes')
        ]
        raise ValueError(f'--mmseg {name!r} is none of {sorted(named)}')
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(kind.__init__).parameters.items()
    }
    if reduce_zero_label is None:
        reduce_zero_label = bool(defaults.get('reduce_zero_label', False))
    palette = kind.METAINFO.get('palette') or ()
    colours = dict(zip(map(tuple, palette), classes))
    if not reduce_zero_label:
        table = numbered(classes, colours=colours)
    else:
        table = SemanticTable(
            dict(enumerate(classes, start=1)),
            colours,
            ignored=frozenset((0, IGNORE_INDEX)),
        )
    return replace(
        table,
        seg_suffix=defaults.get('seg_map_suffix', '.png'),
        img_suffix=defaults.get('img_suffix'),
    )


def file_table(path: Path) -> SemanticTable:
    """The table that a file holds.

    Args:
        path: Text with one name per line, as LabelMe has it; CVAT's ``labelmap.txt``
            with the colours, ``name:R,G,B:parts:actions``; or JSON, a list of names or
            an object from value to name.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is none of these.
    """
    if not path.is_file():
        raise FileNotFoundError(f'--classes: there is no file {path}')
    try:
        text = path.read_text(encoding='utf-8-sig')
        if path.suffix == '.json':
            return _json_table(json.loads(text))
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith('#')]
        if lines and all(re.search(r':\d+,\d+,\d+:', line) for line in lines):
            return _labelmap(lines)
        return numbered(lines)
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are some
        raise ValueError(f'{path}: {error}') from None


def _json_table(content: Any) -> SemanticTable:
    if isinstance(content, dict):
        content = {int(value): name for value, name in content.items()}
        names = [*content.values()]
    else:
        names = content
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError('expected a list of names, or an object from value to name')
    return SemanticTable(content) if isinstance(content, dict) else numbered(names)


def _labelmap(lines: Sequence[str]) -> SemanticTable:
    names, colours = [], {}
    for line in lines:
        name, colour = line.split(':')[:2]
        own = tuple(int(number) for number in colour.split(','))
        if max(own) > 255 or own in colours:
            raise ValueError(
                f'the colour {colour} of {name!r} is no colour, or that of '
                f'{colours.get(own)!r}'
            )
        name = BACKGROUND if look(name) == BACKGROUND else name
        names.append(name)
        colours[own] = name
    return numbered(names, colours=colours)


def category_table(
    categories: Sequence[Mapping[str, Any]], background: bool, by_id: bool
) -> SemanticTable:
    """The table of maps that were made from the label file itself.

    Args:
        categories: Of the label file.
        background: Value 0 is the background.
        by_id: Values are category ids, not places in the list.

    Raises:
        ValueError: An id cannot be a value, or 0 is one and the background, too.
    """
    names = {}
    for place, category in enumerate(categories, start=int(background)):
        names[category['id'] if by_id else place] = category['name']
    if not all(isinstance(value, int) for value in names):
        raise ValueError('--values category-ids needs ids that are integers')
    if background and 0 in names:
        raise ValueError(
            f'--background: value 0 is {names[0]!r} already; leave the option out'
        )
    return SemanticTable({**({0: BACKGROUND} if background else {}), **names})


def read_dataset(
    labels: str | os.PathLike,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read the images and categories of a COCO file, whatever its annotations are.

    Args:
        labels: The file, of any level, or a panoptic one.

    Returns:
        ``images`` and ``categories``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file, or lists no image.
    """
    coco = read_json(str(labels))
    check_document(coco, str(labels))
    check_coco({**coco, 'annotations': []}, str(labels))
    if not coco['images']:
        raise ValueError(f'{labels} lists no image')
    return coco['images'], coco['categories']


def requested_table(
    labels: str | os.PathLike,
    *,
    mmseg: str | None = None,
    classes: Sequence[str] | None = None,
    values: str | None = None,
    background: bool = False,
    reduce_zero_label: bool | None = None,
    renames: Sequence[str] = (),
    ignored_classes: Sequence[str] = (),
    ignored: Sequence[Any] = (),
    seg_suffix: str | None = None,
    img_suffix: str | None = None,
) -> SemanticTable:
    """The table that a command line asks for, of one of three sources.

    Args:
        labels: COCO JSON of the dataset.
        mmseg: Dataset of MMSegmentation. Defaults to None.
        classes: Names from value 0 on, or one file of them. Defaults to None.
        values: 'category-order' or 'category-ids' of ``labels``. Defaults to None.
        background: Value 0 is the background, which the names do not list.
        reduce_zero_label: Value 0 is no label, and the first class is 1. Defaults to
            what the dataset of ``mmseg`` does, else False.
        renames: ``'OLD=NEW'``, names that ``labels`` spells otherwise.
        ignored_classes: Classes that become 255.
        ignored: Values and colours that do.
        seg_suffix: See :class:`SemanticTable`. Defaults to that of ``mmseg``.
        img_suffix: See :class:`SemanticTable`. Defaults to that of ``mmseg``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The names are broken or the options contradict each other.
    """
    if background and reduce_zero_label:
        raise ValueError('value 0 is --background or no label: give one of them')
    if mmseg is not None:
        table = mmseg_table(mmseg, reduce_zero_label)
    elif classes:
        file = Path(classes[0])
        is_file = file.suffix in ('.txt', '.json') or file.is_file()
        alone = len(classes) == 1
        table = file_table(file) if is_file and alone else numbered(classes)
    else:
        _, categories = read_dataset(labels)
        table = category_table(categories, background, values == 'category-ids')
        background = False
    if reduce_zero_label and mmseg is None:
        table = replace(table.moved(), ignored=table.ignored | {0})
    if background:
        if BACKGROUND in table.classes:
            raise ValueError('--background: the class table has a background already')
        moved = table.moved()
        table = replace(moved, names={0: BACKGROUND, **moved.names})
    clash = sorted(v for v in ignored if v in table.names)
    if clash:
        raise ValueError(
            f'--ignore-values {clash[0]} is the class {table.names[clash[0]]!r}; say '
            '--ignore-classes'
        )
    wrong = [text for text in renames if '=' not in text]
    if wrong:
        raise ValueError(f'--rename {wrong[0]!r}: write OLD=NEW')
    table = table.renamed(dict(text.split('=', 1) for text in renames))
    table = table.without(ignored_classes)
    return replace(
        table,
        ignored=table.ignored | {*ignored},
        seg_suffix=seg_suffix or table.seg_suffix,
        img_suffix=img_suffix or table.img_suffix,
    )
