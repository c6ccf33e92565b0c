"""Checks of points, extreme points and boxes, over many annotations at once."""

from collections import Counter
from typing import ClassVar

import numpy as np

from mmwsis.structures.extreme_points import check_extreme_points

from .columns import Annotations, NumberColumn
from .issues import IssueLog

# Labelling tools round, and polygons reach x = width: up to here a point is moved.
BORDER_PIXELS = 1.0
# A box this many times the image's side is a unit error, and its crop would not fit
# into memory.
MAX_BOX_IN_IMAGES = 3
_FORMS = {
    'point': 'one [x, y]',
    'extreme_points': 'four [x, y] (top, left, bottom, right)',
    'bbox': '[x, y, width, height]',
}


def check_points(chunk: Annotations) -> None:
    """Check ``point`` and ``extreme_points``: form, image borders, order.

    Args:
        chunk: Annotations.
    """
    _check_form(chunk, chunk.point, 'point', 'point-format')
    _check_borders(chunk, chunk.point.values[:, None], 'point', 'point')
    if not chunk.extreme.given.any():
        return
    _check_form(chunk, chunk.extreme, 'extreme_points', 'extreme-format')
    _check_order(chunk)
    _check_borders(chunk, chunk.extreme.values, 'extreme_points', 'extreme')
    extent = box_of_points(chunk.extreme.values)[:, 2:]
    chunk.find(
        'extreme-flat',
        in_order(chunk.extreme.values) & (extent < 1).any(axis=1),
        lambda row: (
            f'extreme_points {chunk.entries[row]["extreme_points"]!r} span '
            f'{extent[row, 0]:g} x {extent[row, 1]:g} px.'
        ),
    )


def check_boxes(chunk: Annotations) -> None:
    """Check ``bbox``: form, sign, size and image borders; points inside it.

    Args:
        chunk: Annotations.
    """
    if not chunk.box.given.any():
        return
    _check_form(chunk, chunk.box, 'bbox', 'bbox-format')
    low, extent = chunk.box.values[:, :2], chunk.box.values[:, 2:]
    high = low + extent
    faults = {
        'bbox-negative': ('width and height must not be negative', extent < 0),
        'bbox-outside': (
            'the box must intersect its image',
            (low >= chunk.sizes) | (high < 0),
        ),
        'bbox-huge': (
            f'the box is more than {MAX_BOX_IN_IMAGES} times as large as its image',
            extent > MAX_BOX_IN_IMAGES * chunk.sizes,
        ),
    }
    wrong = np.zeros(len(chunk), dtype=bool)
    for rule, (reason, broken) in faults.items():
        rows = broken.any(axis=1) & ~wrong
        wrong |= rows
        chunk.find(rule, rows, lambda row, reason=reason: _box_text(chunk, row, reason))
    chunk.box_wrong = wrong
    valid = chunk.box.valid & ~wrong
    over = np.maximum(-low, high - chunk.sizes).max(axis=1)
    _find_over_border(chunk, valid, over)
    chunk.find(
        'bbox-flat',
        valid & (extent < 1).any(axis=1),
        lambda row: _box_text(chunk, row, 'the box is less than 1 px wide or high'),
    )
    _check_against_box(chunk, valid)


class CoordinateSpans:
    """Range of the coordinates of a file, by key, to find shares instead of pixels."""

    # A single point may well lie in the first pixel of its image.
    _NEEDED: ClassVar = {'bbox': 1, 'extreme_points': 2, 'point': 4}

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._beyond: set[str] = set()
        self._shares: set[str] = set()

    def add(self, chunk: Annotations) -> None:
        """Look at a chunk.

        Args:
            chunk: Annotations.
        """
        for key, column in (
            ('bbox', chunk.box),
            ('extreme_points', chunk.extreme),
            ('point', chunk.point),
        ):
            if key in self._beyond or not column.valid.any():
                continue
            values = column.values[column.valid]
            self._count[key] += len(values)
            if (values < 0).any() or (values > 1).any():
                self._beyond.add(key)
            elif ((values > 0) & (values < 1)).any():
                self._shares.add(key)

    def check(self, log: IssueLog) -> None:
        """Log keys of which no coordinate is above 1.

        Args:
            log: Takes the issues.
        """
        for key in sorted(self._shares - self._beyond):
            if self._count[key] >= self._NEEDED[key]:
                text = f'all {self._count[key]} {key} of the file lie within 0 to 1.'
                log.add('coordinates-normalised', text)


def in_order(points: np.ndarray) -> np.ndarray:
    """Whether extreme points (n, 4, 2) are top, left, bottom, right; bool (n,).

    Rows with NaN are not.
    """
    xs, ys = points[..., 0], points[..., 1]
    return (
        (ys[:, 0] == ys.min(axis=1))
        & (xs[:, 1] == xs.min(axis=1))
        & (ys[:, 2] == ys.max(axis=1))
        & (xs[:, 3] == xs.max(axis=1))
    )


def box_of_points(points: np.ndarray) -> np.ndarray:
    """Boxes (n, 4), [x, y, width, height], of extreme points (n, 4, 2)."""
    low = np.stack([points[:, 1, 0], points[:, 0, 1]], axis=1)
    high = np.stack([points[:, 3, 0], points[:, 2, 1]], axis=1)
    return np.concatenate([low, high - low], axis=1)


def outside_by(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """How far points (n, k, 2) leave images of sizes (n, 2), in pixels: (n,)."""
    return np.maximum(-points, points - sizes[:, None]).clip(0).max(axis=(1, 2))


def _check_form(chunk: Annotations, column: NumberColumn, key: str, rule: str) -> None:
    chunk.find(
        rule,
        column.broken,
        lambda row: (
            f'{key} must be {_FORMS[key]}, finite numbers in pixels; '
            f'got {chunk.entries[row][key]!r}.'
        ),
    )


def _check_order(chunk: Annotations) -> None:
    def describe(row: int) -> str:
        try:
            check_extreme_points(chunk.entries[row]['extreme_points'], '')
        except ValueError as error:
            return str(error).removeprefix(': ')
        raise AssertionError('both checks of the order must agree')

    wrong = chunk.extreme.valid & ~in_order(chunk.extreme.values)
    chunk.find('extreme-order', wrong, describe)


def _check_borders(
    chunk: Annotations, points: np.ndarray, key: str, prefix: str
) -> None:
    distance = outside_by(points, chunk.sizes)

    def place(row: int) -> str:
        width, height = chunk.sizes[row].astype(int)
        return (
            f'{key} {chunk.entries[row][key]!r} lies {distance[row]:g} px outside the '
            f'image of {width} x {height} pixels'
        )

    hint = ' (up to 1 px is moved onto the border).'
    chunk.find(
        f'{prefix}-outside', distance > BORDER_PIXELS, lambda row: place(row) + hint
    )
    near = (distance > 0) & (distance <= BORDER_PIXELS)
    chunk.find(f'{prefix}-border', near, lambda row: f'{place(row)}.')


def _find_over_border(chunk: Annotations, valid: np.ndarray, over: np.ndarray) -> None:
    for rule, rows in (
        ('bbox-over-border', over > BORDER_PIXELS),
        ('bbox-border', (over > 0) & (over <= BORDER_PIXELS)),
    ):
        chunk.find(
            rule,
            valid & rows,
            lambda row: _box_text(
                chunk, row, f'the box crosses the border by {over[row]:g} px'
            ),
        )


def _check_against_box(chunk: Annotations, valid: np.ndarray) -> None:
    low = chunk.box.values[:, :2]
    high = low + chunk.box.values[:, 2:]
    off = np.maximum(low - chunk.point.values, chunk.point.values - high).max(axis=1)
    chunk.find(
        'point-off-box',
        valid & (off > 0),
        lambda row: (
            f'point {chunk.entries[row]["point"]!r} lies {off[row]:g} px outside its '
            f'bbox {chunk.entries[row]["bbox"]!r} ([x, y, width, height]).'
        ),
    )
    if not chunk.extreme.valid.any():
        return
    boxes = box_of_points(chunk.extreme.values)
    ends = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    off = np.abs(ends - np.concatenate([low, high], axis=1)).max(axis=1)
    ordered = in_order(chunk.extreme.values)
    # Pixel indices and pixel borders differ by one: [10, 20] spans a box of 10 or 11.
    chunk.find(
        'extreme-off-box',
        valid & ordered & (off > BORDER_PIXELS),
        lambda row: (
            f'bbox {chunk.entries[row]["bbox"]!r} is not the box of its '
            f'extreme_points, {boxes[row].tolist()!r} ([x, y, width, height]); '
            f'they differ by {off[row]:g} px.'
        ),
    )


def _box_text(chunk: Annotations, row: int, reason: str) -> str:
    width, height = chunk.sizes[row]
    return (
        f'{reason}; got bbox {chunk.entries[row]["bbox"]!r} ([x, y, width, height]) '
        f'in an image of {width:g} x {height:g} pixels.'
    )
