"""Local maxima of heat maps, and the largest value of each region."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .connected_components import connected_components
from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_integers,
    check_shape,
    to_full_precision,
)
from .window_maximum import as_kernel_size, window_maximum


class Peaks(NamedTuple):
    """N pixels with a class and a score each.

    Attributes:
        labels: (N,) int64, the map or region that each belongs to.
        points: (N, 2) int64 ``(x, y)``, indices of pixels.
        scores: (N,), the values there.
    """

    labels: Tensor
    points: Tensor
    scores: Tensor


def find_peaks(
    maps: Tensor,
    kernel_size: int = 15,
    min_score: float | None = None,
    max_per_class: int | None = None,
    mask: Tensor | None = None,
    merge_plateaus: bool = False,
    min_distance: float = 0.0,
) -> Peaks:
    """Pixels that are the maximum of the window around them, in each of K maps.

    Windows are clipped at the borders. Of equal neighbours every one is a peak:
    bilinear resizing makes such plateaus at the borders of an image, where
    ``merge_plateaus`` gives one peak for each. The time does not grow with the window.

    Args:
        maps: (K, H, W) heat maps, finite.
        kernel_size: Side of the square window in pixels, odd. Defaults to 15.
        min_score: Smallest score of a peak, itself allowed. Defaults to None: any. For
            a bound that is not allowed itself, give ``mask=maps > bound``; for one of
            each map, compare with that.
        max_per_class: The most peaks of a map, the best are kept. Defaults to None:
            all.
        mask: (H, W) or (K, H, W) bool, the pixels that compete; the others are no peaks
            and suppress none. Only the tight box of the mask is computed. Defaults to
            None: all pixels.
        merge_plateaus: Of each 8-connected set of equal peaks keep the one nearest to
            their mean. Defaults to False.
        min_distance: Drop a peak that is closer than this to a better one of its map
            that is kept, in pixels. Defaults to 0.0.

    Returns:
        The peaks by map, decreasing score and row-major order.

    Raises:
        TypeError: A mask of fractions.
        ValueError: Wrong shapes or settings, or maps that are not finite.

    Example:
        >>> maps = torch.tensor([[[2.0, 9, 1, 6, 6]], [[3.0, 2, 1, 5, 4]]])
        >>> peaks = find_peaks(maps, kernel_size=3)
        >>> peaks.labels.tolist(), peaks.points[:, 0].tolist()
        ([0, 0, 0, 1, 1], [1, 3, 4, 3, 0])
        >>> peaks = find_peaks(maps, 3, min_score=4, merge_plateaus=True)
        >>> peaks.points[:, 0].tolist(), peaks.scores.tolist()
        ([1, 3, 3], [9.0, 6.0, 5.0])
    """
    check_shape('maps', maps, ('K', 'H', 'W'))
    if mask is not None:
        size = tuple(maps.shape[getattr(mask, 'ndim', 3) == 2 :])
        check_shape('mask', mask, size, like=maps)
        check_integers('mask', mask)
    check_finite('maps', maps)
    kernel_size = as_kernel_size(kernel_size)
    min_distance = as_number('min_distance', min_distance, '[0, inf)')
    maps, left, top = to_full_precision(maps.detach()), 0, 0
    if mask is not None:
        maps, left, top = _within(maps, mask.bool().expand_as(maps))
    # (3, N): map, row and column of each.
    pixels = (maps == window_maximum(maps, kernel_size)).nonzero().T
    # Pixels outside the mask are -inf and lower than any number.
    lowest = torch.finfo(maps.dtype).min
    if min_score is not None:
        lowest = as_number('min_score', min_score)
    pixels = pixels[:, maps[tuple(pixels)] >= lowest]
    if merge_plateaus:
        pixels = _middles(pixels, maps.shape)
    labels, rows, columns = pixels
    scores = maps[labels, rows, columns]
    # Both sorts are stable, so that row-major order is the last criterion.
    order = scores.argsort(descending=True, stable=True)
    order = order[labels[order].argsort(stable=True)]
    points = torch.stack([columns + left, rows + top], dim=1)
    peaks = Peaks(labels[order], points[order], scores[order])
    if min_distance:
        peaks = _spread(peaks, min_distance)
    if max_per_class is not None:
        peaks = _best(peaks, as_integer('max_per_class', max_per_class, 0))
    return peaks


def region_peaks(regions: Tensor, scores: Tensor) -> Peaks:
    """The pixel of the largest score in each region, the first of equal ones.

    Args:
        regions: (H, W) integers, the number of the region of each pixel; 0 and less for
            none. They need not be connected.
        scores: (H, W), finite.

    Returns:
        One peak per region that occurs, in the order of their numbers, which are its
        ``labels``. First means first in row-major order.

    Raises:
        TypeError: Regions that are no integers.
        ValueError: Wrong shapes, or scores that are not finite.

    Example:
        >>> regions = torch.tensor([[1, 1, 0, 3]])
        >>> peaks = region_peaks(regions, torch.tensor([[0.5, 0.5, 1.0, 0.25]]))
        >>> peaks.labels.tolist(), peaks.points.tolist(), peaks.scores.tolist()
        ([1, 3], [[0, 0], [3, 0]], [0.5, 0.25])
    """
    check_shape('regions', regions, ('H', 'W'))
    check_integers('regions', regions)
    check_shape('scores', scores, tuple(regions.shape), like=regions)
    check_finite('scores', scores)
    scores = to_full_precision(scores.detach())
    numbers, values = (entry.cpu().numpy() for entry in (regions, scores))
    inside = np.flatnonzero(numbers > 0)
    part, values = numbers.ravel()[inside], values.ravel()[inside]
    labels, first = _first_of_largest(values, part)
    rows, columns = np.divmod(inside[first], max(1, numbers.shape[1]))
    found = labels.astype(np.int64), np.stack([columns, rows], axis=1), values[first]
    return Peaks(*(torch.from_numpy(entry).to(regions.device) for entry in found))


def _within(maps: Tensor, mask: Tensor) -> tuple[Tensor, int, int]:
    """Return the maps in the mask's tight box, -inf outside the mask; its corner."""
    rows, columns = (mask.any(0).any(dim).nonzero()[:, 0] for dim in (1, 0))
    if not len(rows):
        return maps[:, :0], 0, 0
    (top, bottom), (left, right) = rows[[0, -1]].tolist(), columns[[0, -1]].tolist()
    box = (slice(None), slice(top, bottom + 1), slice(left, right + 1))
    return maps[box].where(mask[box], -torch.inf), left, top


def _middles(pixels: Tensor, size: tuple[int, ...]) -> Tensor:
    """Keep of each connected set of (3, N) pixels the one nearest to their mean."""
    _, height, width = size
    labels, rows, columns = pixels.cpu().numpy()
    # All maps below each other, with a row between two.
    rows = labels * (height + 1) + rows
    stacked = np.zeros((size[0] * (height + 1), width), dtype=bool)
    stacked[rows, columns] = True
    found = connected_components(stacked)
    part = found.labels[rows, columns] - 1
    # From integers, so that equal distances are equal: |n * p - sum(p)|^2.
    areas = found.areas[:, None]
    sums = (found.centroids * areas).round().astype(np.int64)
    away = np.stack([columns, rows], axis=1) * areas[part] - sums[part]
    _, middles = _first_of_largest(-(away.astype(np.float64) ** 2).sum(1), part)
    return pixels[:, np.sort(middles)]


def _first_of_largest(
    values: np.ndarray, part: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts that occur, and where each has its first largest value.

    Both are (N,), ``part`` integers from 0 on.
    """
    if not len(part):
        return part, np.zeros(0, dtype=np.int64)
    if part.max() >= 2 * len(part):
        # Numbers far apart: a table of them would be longer than the rest.
        names, part = np.unique(part, return_inverse=True)
        parts, first = _first_of_largest(values, part)
        return names[parts], first
    largest = np.full(part.max() + 1, values.min())
    np.maximum.at(largest, part, values)
    hits = np.flatnonzero(values == largest[part])
    parts, first = np.unique(part[hits], return_index=True)
    return parts, hits[first]


def _spread(peaks: Peaks, min_distance: float) -> Peaks:
    labels, points = peaks.labels.cpu(), peaks.points.cpu()
    left, kept = torch.arange(len(labels)), []
    while len(left):
        best = left[0]
        kept.append(best)
        squared = ((points[left] - points[best]) ** 2).sum(1)
        near = (squared < min_distance**2) & (labels[left] == labels[best])
        left = left[~near]
    kept = torch.tensor(kept, dtype=torch.int64, device=peaks.labels.device)
    return Peaks(*(entry[kept] for entry in peaks))


def _best(peaks: Peaks, count: int) -> Peaks:
    # Peaks are sorted by label: what comes before the first of one is not its own.
    first = torch.searchsorted(peaks.labels, peaks.labels)
    rank = torch.arange(len(first), device=first.device) - first
    return Peaks(*(entry[rank < count] for entry in peaks))
