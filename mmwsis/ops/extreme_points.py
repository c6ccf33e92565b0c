"""Extreme points of an object: from polygons, from pixel lists, from bitmaps.

Sources: the mask-to-extreme-points rule in the released code of `ExtremeNet
<https://arxiv.org/abs/1901.08043>`__ (Zhou et al., CVPR 2019), as `EXITS
<https://arxiv.org/abs/2405.20729>`__ (CVPR 2024, section 4.1) simulates its annotations
with it; and a form of it for bitmaps that does not depend on the order of pixels.

Points come in the order top, left, bottom, right, each ``(x, y)``. Those of bitmaps are
the outermost pixels; :func:`mmwsis.structures.points_of_pixels` gives their edges.
"""

from collections.abc import Sequence

import numpy as np

from .connected_components import connected_components
from .tensor_checks import as_integer, as_mask

TOLERANCE = 0.02
# (axis that is extreme, whether the extreme is the maximum): top, left, bottom, right.
_SIDES = ((1, False), (0, False), (1, True), (0, True))


def extreme_points_from_polygons(
    polygons: Sequence[Sequence[float] | np.ndarray],
    cyclic: bool = False,
    truncate: bool = True,
    floor_middle: bool = True,
) -> np.ndarray:
    r"""Extreme points of an object that is given as polygons.

    The corners of all polygons are joined into one list. On each side the first corner
    that attains the extreme is taken, together with its neighbours in the list as long
    as they lie within 2 % of the object's extent; the point is the middle of what was
    collected. For the top, with the run R of corners around the first topmost one,

    .. math::
        y^t = \min_i y_i, \quad
        x^t = \Big\lfloor \tfrac{1}{2} (\min_{i \in R} x_i + \max_{i \in R} x_i)
              \Big\rfloor, \quad
        |y_i - y^t| \le 0.02 \, (\max_j y_j - \min_j y_j + 1) \text{ in } R.

    Args:
        polygons: Polygons of the object, each ``[x0, y0, x1, y1, ...]`` or an array
            (V, 2), in pixels.
        cyclic: Walk around the whole closed list. Defaults to False as in ExtremeNet,
            which repeats just one corner at either end of the list, so that a side
            which straddles the start of the list is cut short.
        truncate: Truncate the coordinates to integers, as ExtremeNet does. Defaults to
            True.
        floor_middle: Round the middle of a run down, as ExtremeNet does. Defaults to
            True.

    Returns:
        (4, 2) int32, or float64 without ``truncate``.

    Raises:
        ValueError: No corners, an odd number of coordinates, NaN or infinity, or
            coordinates beyond 32 bits with ``truncate``.

    Example:
        >>> extreme_points_from_polygons([[10, 0, 20, 10, 10, 40, 0, 10]]).tolist()
        [[10, 0], [0, 10], [10, 40], [20, 10]]
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
        middle = (free.max() + free.min()) / 2
        points[side, 1 - axis] = np.floor(middle) if floor_middle else middle
    if not truncate:
        return points
    if np.abs(points).max() >= 2**31:
        raise ValueError(
            f'polygon coordinates must fit 32 bits, given up to {np.abs(points).max()}'
        )
    return points.astype(np.int32)


def extreme_points_from_mask(
    mask: np.ndarray, mode: str = 'band', offset: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Extreme points of an object that is given as a bitmap.

    Args:
        mask: Bool or 0/1 array (H, W): the image, or any crop that holds the object.
        mode: 'band': on each side, of the mask pixels within 2 % of the object's
            extent, the 8-connected component that holds the extreme pixel with the
            smallest free coordinate; the point is the middle of its extent.
            'rowmajor': ExtremeNet's rule on the list of pixels in row-major order, for
            parity only (top is the middle of all components, the others mostly ends).
            Defaults to 'band'.
        offset: ``(x, y)`` of the crop's first pixel in the image. Defaults to (0, 0).

    Returns:
        (4, 2) int32, indices of pixels. A point need not lie on the mask.

    Raises:
        ValueError: The mask is empty, not two-dimensional or not finite, or the mode
            is unknown.

    Example:
        >>> mask = np.zeros((9, 9), dtype=bool)
        >>> mask[2:7, 4] = mask[4, 1:8] = True  # a cross
        >>> extreme_points_from_mask(mask).tolist()
        [[4, 2], [1, 4], [4, 6], [7, 4]]
    """
    mask = as_mask(mask)
    shift = np.array([as_integer('offset', value) for value in offset])
    if mode not in ('band', 'rowmajor'):
        raise ValueError(f"mode must be 'band' or 'rowmajor', given {mode!r}")
    rows, columns = mask.any(axis=1), mask.any(axis=0)
    if not rows.any():
        raise ValueError('the mask is empty, so that it has no extreme points')
    top, left = int(rows.argmax()), int(columns.argmax())
    bottom = len(rows) - int(rows[::-1].argmax())
    right = len(columns) - int(columns[::-1].argmax())
    crop = mask[top:bottom, left:right]
    points = _band_points(crop) if mode == 'band' else _rowmajor_points(crop)
    return (points + (left, top) + shift).astype(np.int32)


def _join_polygons(polygons: Sequence[Sequence[float] | np.ndarray]) -> np.ndarray:
    flat = [np.asarray(polygon, dtype=np.float64).ravel() for polygon in polygons]
    if not flat or not sum(map(len, flat)):
        raise ValueError('the polygons have no corners')
    if any(len(polygon) % 2 for polygon in flat):
        raise ValueError(
            'a polygon must be [x0, y0, x1, y1, ...], given an odd number of '
            f'coordinates: {[len(polygon) for polygon in flat]}'
        )
    corners = np.concatenate(flat).reshape(-1, 2)
    if not np.isfinite(corners).all():
        raise ValueError('polygon coordinates must be finite, given NaN or infinity')
    return corners


def _padded_run(coordinate: np.ndarray, extreme: float, tolerance: float) -> np.ndarray:
    """Indices around the first extreme corner; list padded by one corner per end."""
    count = len(coordinate)
    order = np.arange(-1, count + 1) % count
    padded = coordinate[order]
    # The run ends before the nearest corner on either side that is too far inside.
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
    # Turn the ring so that it begins at the extreme; the run then goes up to the first
    # corner that is too far inside, and from the last such one on.
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
        # The lines within 2 % of the extent of the extreme one, at least that one.
        tolerance = TOLERANCE * len(lines)
        depth = int((np.arange(min(len(lines), int(tolerance) + 2)) <= tolerance).sum())
        low, high = _first_component_extent(lines[:depth])
        extent = height if axis == 1 else width
        points[side, axis] = extent - 1 if is_maximum else 0
        points[side, 1 - axis] = (low + high) // 2
    return points


def _first_component_extent(band: np.ndarray) -> tuple[int, int]:
    """Column extent of the component that holds the first pixel of the first row."""
    first = int(band[0].argmax())
    if len(band) == 1:
        gap = int(band[0, first:].argmin())
        # argmin is 0 where the run reaches the end of the row.
        return first, first + gap - 1 if gap else band.shape[1] - 1
    found = connected_components(band)
    left, _, right, _ = found.boxes[found.labels[0, first] - 1]
    return int(left), int(right) - 1


def _rowmajor_points(crop: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(crop)
    pixels = np.stack([x, y], axis=1)
    return extreme_points_from_polygons([pixels])
