"""Entries of a COCO list as NumPy columns, with the rows that do not fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mmwsis.structures.supervision import Supervision

from .issues import Issue, IssueLog, annotation_issue

NO_LEVEL = -1  # Nothing says which labels the objects of an image must have.
_ID_TYPES = {int, str}


@dataclass
class ImageTable:
    """What annotations are judged by, one entry per image.

    Attributes:
        index: From image id to row.
        ids: Image ids.
        sizes: Width and height in pixels, NaN where they are broken.
        required: Level whose labels the image must have, or ``NO_LEVEL``.
        claimed: Level that the file claims for it; MASKS if none.
        tags: Category ids, None where the file gives none.
        listed: From LVIS's keys and 'crop_tags' to category ids, None where the file
            gives none.
        files: File names, None where they are broken.
    """

    index: dict[Any, int] = field(default_factory=dict)
    ids: list[Any] = field(default_factory=list)
    sizes: list[tuple[float, float]] = field(default_factory=list)
    required: list[int] = field(default_factory=list)
    claimed: list[int] = field(default_factory=list)
    tags: list[tuple[Any, ...] | None] = field(default_factory=list)
    listed: list[dict[str, tuple[Any, ...] | None]] = field(default_factory=list)
    files: list[str | None] = field(default_factory=list)

    def sample(self, count: int) -> 'ImageTable':
        """Some of the images, for a check of their files.

        Args:
            count: How many at most, >= 1.

        Returns:
            A table of ids, sizes and files of images from the first to the last.
        """
        step = max(1, -(-len(self.ids) // count))
        return ImageTable(
            ids=self.ids[::step], sizes=self.sizes[::step], files=self.files[::step]
        )


class ImageArrays(NamedTuple):
    """An :class:`ImageTable` as arrays, with one more row, -1, for unknown images."""

    index: dict[Any, int]
    sizes: np.ndarray
    required: np.ndarray
    claimed: np.ndarray

    @classmethod
    def of(cls, table: ImageTable) -> 'ImageArrays':
        """Freeze a table."""
        nan = float('nan')
        return cls(
            table.index,
            np.array([*table.sizes, (nan, nan)], dtype=np.float64),
            np.array([*table.required, NO_LEVEL], dtype=np.int8),
            np.array([*table.claimed, Supervision.MASKS], dtype=np.int8),
        )


@dataclass
class NumberColumn:
    """One numeric key of many entries.

    Attributes:
        values: float64 (n, *shape), NaN where the key is absent or broken.
        given: bool (n,), the key is there and not null.
        valid: bool (n,), it is there and well formed.
    """

    values: np.ndarray
    given: np.ndarray
    valid: np.ndarray

    @property
    def broken(self) -> np.ndarray:
        """Rows, (k,), that are there but not well formed."""
        return np.flatnonzero(self.given & ~self.valid)


class Annotations:
    """A chunk of annotations, all of them objects.

    Args:
        entries: Annotations as in the file.
        images: Images of the file.
        log: Takes the issues.

    Attributes:
        image: int64 (n,), row of the image, -1 if there is none.
        sizes: float64 (n, 2), (width, height) of it, NaN without one.
        required: int8 (n,), level whose labels it needs, ``NO_LEVEL`` if unknown.
        claimed: int8 (n,), level that the file claims.
        crowd: bool (n,), ``iscrowd`` is true.
        ignored: bool (n,), ``ignore`` is true: at masks, loaders leave it out.
        point: (n, 2), ``extreme``: (n, 4, 2), ``box``: (n, 4), ``area``: (n,).
        score: (n,), of points and boxes; that of a mask is left alone, for it is not
            read from a label file.
        box_wrong: bool (n,), the box is negative, huge or outside of its image.
        masked: bool (n,), there is a segmentation.
        given: Key of a label -> bool (n,), it is there.
    """

    def __init__(
        self, entries: Sequence[Mapping[str, Any]], images: ImageArrays, log: IssueLog
    ) -> None:
        self.entries, self.log = entries, log
        self.image = rows_of([entry.get('image_id') for entry in entries], images.index)
        self.sizes = images.sizes[self.image]
        self.required = images.required[self.image]
        self.claimed = images.claimed[self.image]
        self.crowd = np.fromiter(
            (bool(entry.get('iscrowd')) for entry in entries), bool, len(entries)
        )
        self.ignored = np.zeros(len(entries), dtype=bool)
        flags = [entry.get('ignore') for entry in entries]
        if any(flags):
            at_masks = np.isin(self.required, (Supervision.MASKS, NO_LEVEL))
            self.ignored = at_masks & np.array([bool(flag) for flag in flags])
        self.point = number_column(entries, 'point', (2,))
        self.extreme = number_column(entries, 'extreme_points', (4, 2))
        self.box = number_column(entries, 'bbox', (4,))
        self.box_wrong = np.zeros(len(entries), dtype=bool)
        self.area = number_column(entries, 'area', ())
        self.masked = np.fromiter(
            (entry.get('segmentation') not in (None, []) for entry in entries),
            bool,
            len(entries),
        )
        self.score = number_column(
            [{} if mask else one for one, mask in zip(entries, self.masked)],
            'score',
            (),
        )
        self.given = {
            'point': self.point.given,
            'bbox': self.box.given,
            'extreme_points': self.extreme.given,
            'segmentation': self.masked,
        }

    def __len__(self) -> int:
        return len(self.entries)

    def find(
        self, rule: str, where: np.ndarray, describe: Callable[[int], str]
    ) -> None:
        """Log issues of annotations.

        Args:
            rule: Name of the rule.
            where: bool (n,), or rows (k,).
            describe: Message of a row.
        """
        rows = np.flatnonzero(where) if where.dtype == bool else where

        def issue(k: int) -> Issue:
            row = int(rows[k])
            return annotation_issue(rule, self.entries[row], describe(row))

        self.log.add_many(rule, len(rows), issue)


def is_id(value: Any) -> bool:
    """Whether ``value`` may be an id: an integer or a text."""
    return type(value) in _ID_TYPES


def number_column(
    entries: Sequence[Mapping[str, Any]], key: str, shape: tuple[int, ...]
) -> NumberColumn:
    """Stack a key of many entries.

    Args:
        entries: Objects.
        key: Key that holds numbers.
        shape: Shape of each value.

    Returns:
        The column; a value counts as broken if it has another shape or holds what is
        no finite number.
    """
    raw = [entry.get(key) for entry in entries]
    given = np.fromiter((value is not None for value in raw), bool, len(raw))
    values = np.full((len(raw), *shape), np.nan)
    valid = np.zeros(len(raw), dtype=bool)
    if given.any():
        present = raw if given.all() else [value for value in raw if value is not None]
        values[given], valid[given] = _stack(present, shape)
    return NumberColumn(values, given, valid)


def _stack(raw: list[Any], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    array = _float_array(raw)
    if array is None or array.shape != (len(raw), *shape):
        array = np.full((len(raw), *shape), np.nan)
        for row, value in enumerate(raw):
            one = _float_array(value)
            if one is not None and one.shape == shape:
                array[row] = one
    valid = np.isfinite(array.reshape(len(raw), -1)).all(axis=1)
    array[~valid] = np.nan
    return array, valid


def _float_array(value: Any) -> np.ndarray | None:
    """``value`` as float64, or None if it is ragged or holds what is no number."""
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        return None
    return array.astype(np.float64) if array.dtype.kind in 'iuf' else None


def rows_of(ids: Sequence[Any], index: Mapping[Any, int]) -> np.ndarray:
    """Look ids up.

    Args:
        ids: As in the file, valid or not.
        index: From id to row.

    Returns:
        int64 (n,), -1 for what is not in the index.
    """
    try:
        if bool in set(map(type, ids)):  # true equals 1
            raise TypeError
        rows = [index.get(value, -1) for value in ids]
    except TypeError:  # A list cannot be looked up.
        rows = [index.get(value, -1) if is_id(value) else -1 for value in ids]
    return np.asarray(rows, dtype=np.int64)
