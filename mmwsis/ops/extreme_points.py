"""Extreme points of an object: from polygons, from pixel lists, from bitmaps.

Sources: the mask-to-extreme-points rule of ExtremeNet (Zhou et al., "Bottom-up Object
Detection by Grouping Extreme and Center Points", CVPR 2019), as EXITS (CVPR 2024)
simulates its annotations with it; and a form of it for bitmaps that does not depend
on the order of pixels.

Points come in the order top, left, bottom, right, each ``(x, y)`` in pixels.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from .connected_components import EIGHT_CONNECTED

TOLERANCE = 0.02
# (axis that is extreme, whether the extreme is the maximum): top, left, bottom, right.
_SIDES = ((1, False), (0, False), (1, True), (0, True))


def extreme_points_from_polygons(
    polygons: Sequence[Sequence[float] | np.ndarray],
    cyclic: bool = False,
    truncate: bool = True,
) -> np.ndarray:
    """Extreme points of an object that is given as polygons.

    The corners of all parts are joined into one list. On each side the first corner
    that attains the extreme is taken, together with its neighbours in the list as
    long as they lie within 2 % of the object's extent; the point is the middle of
    what was collected.

    Args:
        polygons: Parts of the object, each ``[x0, y0, x1, y1, ...]`` or an array
            (V, 2), in pixels.
        cyclic: Walk around the whole closed list. The default follows ExtremeNet,
            which repeats just one corner at either end of the list, so that a side
            which straddles the start of the list is cut short.
        truncate: Truncate the coordinates to integers, as ExtremeNet does.

    Returns:
        (4, 2) int32, or float64 without ``truncate``.

    Raises:
        ValueError: No corners, an odd number of coordinates, or NaN or infinity.
    """
    corners = _join_polygons(polygons)
    lowest, highest = corners.min(axis=0), corners.max(axis=0)
    walk = _cyclic_run if cyclic else _padded_run
    points = np.empty((4, 2))
    for side, (axis, is_maximum) in enumerate(_SIDES):
        extreme = highest[axis] if is_maximum else lowest[axis]
        tolerance = TOLERANCE * (highest[axis] - lowest[axis] + 1)
        run = walk(corners[:, axis], extreme, tolerance)
        free = corners[run, 1 - axis]
        points[side, axis] = extreme
        points[side, 1 - axis] = (free.max() + free.min()) // 2
    return points.astype(np.int32) if truncate else points


def extreme_points_from_mask(
    mask: np.ndarray, mode: str = 'band', offset: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Extreme points of an object that is given as a bitmap.

    Args:
        mask: Bool or 0/1 array (H, W): the image, or any crop that holds the object.
        mode: 'band': on each side, of the mask pixels within 2 % of the object's
            extent, the 8-connected part that holds the extreme pixel with the
            smallest free coordinate; the point is the middle of that part's extent.
            'rowmajor': ExtremeNet's rule on the list of pixels in row-major order,
            for parity only (top is the middle of all parts, the others mostly ends).
        offset: ``(x, y)`` of the crop's first pixel in the image.

    Returns:
        (4, 2) int32. A point need not lie on the mask.

    Raises:
        ValueError: The mask is empty or not two-dimensional, or the mode is unknown.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f'mask must have shape (H, W), given {mask.shape}')
    if mode not in ('band', 'rowmajor'):
        raise ValueError(f"mode must be 'band' or 'rowmajor', given {mode!r}")
    rows, columns = mask.any(axis=1), mask.any(axis=0)
    if not rows.any():
        raise ValueError('the mask is empty, so that it has no extreme points')
    top, left = int(rows.argmax()), int(columns.argmax())
    bottom = len(rows) - int(rows[::-1].argmax())
    right = len(columns) - int(columns[::-1].argmax())
    crop = mask[top:bottom, left:right] != 0
    points = _band_points(crop) if mode == 'band' else _rowmajor_points(crop)
    return (points + (left + offset[0], top + offset[1])).astype(np.int32)


def _join_polygons(polygons: Sequence[Sequence[float] | np.ndarray]) -> np.ndarray:
    parts = [np.asarray(part, dtype=np.float64).ravel() for part in polygons]
    if not parts or not sum(map(len, parts)):
        raise ValueError('the polygons have no corners')
    if any(len(part) % 2 for part in parts):
        raise ValueError(
            'a polygon must be [x0, y0, x1, y1, ...], given an odd number of '
            f'coordinates: {[len(part) for part in parts]}'
        )
    corners = np.concatenate(parts).reshape(-1, 2)
    if not np.isfinite(corners).all():
        raise ValueError('polygon coordinates must be finite, given NaN or infinity')
    return corners


def _padded_run(coordinate: np.ndarray, extreme: float, tolerance: float) -> np.ndarray:
    """Indices around the first extreme corner; list padded by one corner a side."""
    count = len(coordinate)
    order = np.arange(-1, count + 1) % count
    padded = coordinate[order]
    start = int((padded == extreme).argmax())
    outside = np.flatnonzero(np.abs(padded - extreme) > tolerance)
    k = int(np.searchsorted(outside, start))
    first = outside[k - 1] + 1 if k > 0 else 0
    stop = outside[k] if k < len(outside) else len(order)
    return order[first:stop]


def _cyclic_run(coordinate: np.ndarray, extreme: float, tolerance: float) -> np.ndarray:
    """Indices around the first extreme corner; the list is a closed ring."""
    count = len(coordinate)
    start = int((coordinate == extreme).argmax())
    order = (start + np.arange(count)) % count
    outside = np.flatnonzero(np.abs(coordinate[order] - extreme) > tolerance)
    if not len(outside):
        return order
    return np.concatenate([order[: outside[0]], order[outside[-1] + 1 :]])


def _band_points(crop: np.ndarray) -> np.ndarray:
    """Band rule on a tight crop; ``(x, y)`` in the crop."""
    height, width = crop.shape
    points = np.empty((4, 2), dtype=np.int64)
    for side, (axis, is_maximum) in enumerate(_SIDES):
        # Lay the side's lines out as rows, the extreme one first.
        lines = crop if axis == 1 else crop.T
        if is_maximum:
            lines = lines[::-1]
        tolerance = TOLERANCE * len(lines)
        depth = int((np.arange(min(len(lines), int(tolerance) + 2)) <= tolerance).sum())
        low, high = _first_part_extent(lines[:depth])
        extent = height if axis == 1 else width
        points[side, axis] = extent - 1 if is_maximum else 0
        points[side, 1 - axis] = (low + high) // 2
    return points


def _first_part_extent(band: np.ndarray) -> tuple[int, int]:
    """Column extent of the part that holds the first pixel of the first row."""
    first = int(band[0].argmax())
    if len(band) == 1:
        gap = int(band[0, first:].argmin())
        # argmin is 0 where the run reaches the end of the row.
        return first, first + gap - 1 if gap else band.shape[1] - 1
    labels, _ = ndimage.label(band, structure=EIGHT_CONNECTED)
    columns = np.flatnonzero((labels == labels[0, first]).any(axis=0))
    return int(columns[0]), int(columns[-1])


def _rowmajor_points(crop: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(crop)
    pixels = np.stack([x, y], axis=1)
    return extreme_points_from_polygons([pixels])
