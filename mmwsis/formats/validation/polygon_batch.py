"""Polygons of many annotations at once: form, extent and area."""

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

MIN_VERTICES = 3
Fault = tuple[str, int, str]


class PolygonBatch(NamedTuple):
    """Statistics of n annotations with polygons.

    Attributes:
        faults: ``(rule, row, message)`` of what has no statistics.
        sound: bool (n,), at least one polygon, and none of them broken.
        low: float64 (n, 2), smallest x and y; NaN if not sound.
        high: float64 (n, 2), largest x and y.
        largest: float64 (n,), area of the largest polygon, in square pixels.
        total: float64 (n,), sum of the areas, which counts overlaps twice.
        perimeter: float64 (n,), sum of the perimeters, in pixels.
        checksum: float64 (n,), equal for equal polygons, by chance for no others.
    """

    faults: list[Fault]
    sound: np.ndarray
    low: np.ndarray
    high: np.ndarray
    largest: np.ndarray
    total: np.ndarray
    perimeter: np.ndarray
    checksum: np.ndarray


def measure_polygons(segmentations: Sequence[list[Any]]) -> PolygonBatch:
    """Check polygons and measure them.

    Args:
        segmentations: n non-empty lists, each ``[[x, y, x, y, ...], ...]`` if well
            formed.

    Returns:
        Statistics and faults.
    """
    faults: list[Fault] = []
    numbers, sizes, owner = _flatten(segmentations, faults)
    n = len(segmentations)
    sound = np.ones(n, dtype=bool)
    sound[[row for _, row, _ in faults]] = False
    values = np.frombuffer(numbers, dtype=np.float64)
    if len(values):
        points = np.repeat(owner, sizes)
        bad = np.unique(points[~np.isfinite(values)])
        for row in bad.tolist():
            faults.append(
                ('polygon-numbers', row, _NUMBERS.format(_shorten(segmentations[row])))
            )
        sound[bad] = False
        keep = sound[owner]
        values = values[np.repeat(keep, sizes)]
        sizes, owner = sizes[keep], owner[keep]
    return _measure(values.reshape(-1, 2), sizes // 2, owner, sound, faults)


def _flatten(
    segmentations: Sequence[list[Any]], faults: list[Fault]
) -> tuple[array, np.ndarray, np.ndarray]:
    """All coordinates, the number of them and the row of each polygon."""
    numbers, sizes, owner = array('d'), [], []
    for row, polygons in enumerate(segmentations):
        start, kept = len(numbers), len(sizes)
        for polygon in polygons:
            fault = _append(numbers, polygon)
            if fault:
                faults.append((fault[0], row, fault[1]))
                # Nothing of a broken annotation is measured.
                del numbers[start:], sizes[kept:], owner[kept:]
                break
            sizes.append(len(polygon))
            owner.append(row)
    return numbers, np.asarray(sizes, np.int64), np.asarray(owner, np.int64)


_NUMBERS = 'polygon coordinates must be finite numbers; got {}.'


def _append(numbers: array, polygon: Any) -> tuple[str, str] | None:
    """Append the coordinates of a polygon; the rule and message of what is wrong."""
    if type(polygon) is not list:
        kind = type(polygon).__name__
        return (
            'mask-format',
            'segmentation must be a list of polygons [[x, y, x, y, ...], ...]; an '
            f'entry is a {kind}: {_shorten(polygon)}. A single polygon needs two pairs '
            'of brackets.',
        )
    count = len(polygon)
    if count < 2 * MIN_VERTICES or count % 2:
        return (
            'polygon-vertices',
            f'a polygon needs at least {MIN_VERTICES} vertices x, y; got {count} '
            f'numbers: {_shorten(polygon)}.',
        )
    try:
        numbers.extend(polygon)
    except (TypeError, OverflowError):
        return 'polygon-numbers', _NUMBERS.format(_shorten(polygon))
    return None


def _measure(
    points: np.ndarray,
    sizes: np.ndarray,
    owner: np.ndarray,
    sound: np.ndarray,
    faults: list[Fault],
) -> PolygonBatch:
    n = len(sound)
    low, high = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    largest, total, perimeter, checksum = np.zeros((4, n))
    if len(points):
        starts = np.cumsum(sizes) - sizes
        following = np.arange(1, len(points) + 1)
        following[starts + sizes - 1] = starts  # The last vertex joins the first.
        ahead = points[following]
        # Relative to the first vertex: products of large coordinates lose digits.
        origin = np.repeat(points[starts], sizes, axis=0)
        (x0, y0), (x1, y1) = (points - origin).T, (ahead - origin).T
        areas = np.abs(np.add.reduceat(x0 * y1 - x1 * y0, starts)) / 2
        lengths = np.add.reduceat(np.hypot(x1 - x0, y1 - y0), starts)
        weights = np.arange(len(points)) - np.repeat(starts, sizes) + 1.5
        sums = np.add.reduceat((points[:, 0] + np.pi * points[:, 1]) * weights, starts)
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        rows = owner[first]
        low[rows] = np.minimum.reduceat(np.minimum.reduceat(points, starts), first)
        high[rows] = np.maximum.reduceat(np.maximum.reduceat(points, starts), first)
        largest[rows] = np.maximum.reduceat(areas, first)
        total[rows] = np.add.reduceat(areas, first)
        perimeter[rows] = np.add.reduceat(lengths, first)
        checksum[rows] = np.add.reduceat(sums, first)
    return PolygonBatch(faults, sound, low, high, largest, total, perimeter, checksum)


def _shorten(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
