"""Local maxima of heat maps, and the largest value of each region."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .connected_components import connected_components
from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_integers,
    check_shape,
    check_within,
)


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
        >>> maps = torch.tensor([[[0.1, 0.9, 0.2, 0.6, 0.6]], [[0.3, 0.2, 0.1, 0.5, 0.4]]])
        >>> peaks = find_peaks(maps, kernel_size=3)
        >>> peaks.labels.tolist(), peaks.points[:, 0].tolist()
        ([0, 0, 0, 1, 1], [1, 3, 4, 3, 0])
        >>> peaks = find_peaks(maps, 3, min_score=0.5, merge_plateaus=True)
        >>> peaks.labels.tolist(), peaks.points[:, 0].tolist(), peaks.scores.tolist()
        ([0, 0, 1], [1, 3, 3], [0.8999999761581421, 0.6000000238418579, 0.5])
    """
    check_shape('maps', maps, ('K', 'H', 'W'))
    check_finite('maps', maps)
    kernel_size = as_integer('kernel_size', kernel_size, 3)
    if kernel_size % 2 == 0:
        raise ValueError(f'kernel_size: expected an odd integer, got {kernel_size}.')
    min_distance = as_number('min_distance', min_distance, '[0, inf)')
    maps, (left, top) = _restrict(maps.detach(), mask)
    is_peak = maps == window_maximum(maps, kernel_size)
    is_peak &= maps > -torch.inf
    if min_score is not None:
        is_peak &= maps >= as_number('min_score', min_score)
    if merge_plateaus:
        is_peak = _middles(is_peak)
    labels, rows, columns = is_peak.nonzero().T
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
