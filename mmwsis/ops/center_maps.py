"""Gaussian centre maps, and instances from offsets to centres (BESTIE, CVPR 2022)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .connected_components import connected_components
from .tensor_checks import (
    as_integer,
    as_number,
    as_size,
    check_finite,
    check_integers,
    check_shape,
    check_within,
    to_full_precision,
)

# Distances of pixels to centres that are compared at a time.
CHUNK = 2**22


def draw_centers(
    points: Tensor,
    labels: Tensor,
    num_classes: int,
    image_size: tuple[int, int],
    sigma: float = 6.0,
    amplitudes: Tensor | None = None,
) -> Tensor:
    r"""One map per class with a Gaussian at each centre, merged by maximum.

    The target of a centre head, as in Panoptic-DeepLab and section 3.3 of `BESTIE
    <https://arxiv.org/abs/2109.09477>`__:

    .. math::
        C_c(p) = \max_{k:\, c_k = c} a_k \exp\Big(-\frac{|p - x_k|^2}{2 \sigma^2}\Big)
        \quad\text{within}\quad |p - x_k|_\infty \le 3 \sigma + 1,

    and 0 elsewhere. The exponential is computed once.

    Args:
        points: (N, 2) integers ``(x, y)``, the centres' pixels. One outside the image
            draws nothing.
        labels: (N,) their 0-based classes.
        num_classes: Number C of maps.
        image_size: (H, W) of the maps in pixels.
        sigma: Standard deviation in pixels. Defaults to 6.0.
        amplitudes: (N,) heights. Defaults to None: 1 for all.

    Returns:
        (C, H, W) float32.

    Raises:
        TypeError: Points or labels that are no integers.
        ValueError: Wrong shapes or settings, a label that is no class, or amplitudes
            that are not finite.

    Example:
        >>> points, labels = torch.tensor([[1, 0], [4, 0]]), torch.tensor([1, 1])
        >>> draw_centers(points, labels, 2, image_size=(1, 6), sigma=1.0)
        tensor([[[0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000]],
        <BLANKLINE>
                [[0.6065, 1.0000, 0.6065, 0.6065, 1.0000, 0.6065]]])
    """
    check_shape('points', points, ('N', 2))
    check_integers('points', points)
    check_shape('labels', labels, (len(points),), like=points)
    check_integers('labels', labels)
    num_classes = as_integer('num_classes', num_classes, 1)
    check_within('labels', labels, 0, num_classes - 1)
    height, width = as_size('image_size', image_size)
    sigma = as_number('sigma', sigma, '(0, inf)')
    heights = torch.ones(len(points), device=points.device)
    if amplitudes is not None:
        check_shape('amplitudes', amplitudes, (len(points),), like=points)
        check_finite('amplitudes', amplitudes)
        heights = amplitudes.detach().float()
    maps = torch.zeros(num_classes, height, width, device=points.device)
    if not maps.numel():
        return maps
    x, y = points.long().T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    heights = heights.where(inside, 0)
    # No wider than what can be seen of it.
    radius_y, radius_x = (
        min(int(3 * sigma + 1), max(0, side - 1)) for side in (height, width)
    )
    bell_y, bell_x = (_bell(side, sigma) for side in (radius_y, radius_x))
    stamp = (bell_y[:, None] * bell_x).float().to(maps.device)
    step = max(1, CHUNK // stamp.numel())
    for entries in zip(*(one.split(step) for one in (labels.long(), y, x, heights))):
        _stamp(maps, stamp, *entries)
    return maps


def _stamp(
    maps: Tensor, stamp: Tensor, labels: Tensor, y: Tensor, x: Tensor, heights: Tensor
) -> None:
    """Draw (h, w) ``stamp`` around each of N points into (C, H, W) maps by maximum."""
    _, height, width = maps.shape
    rows, columns = (
        middle[:, None] + torch.arange(-(side // 2), side // 2 + 1, device=maps.device)
        for middle, side in zip((y, x), stamp.shape)
    )
    # What lies outside is drawn as 0, which changes nothing, at the border.
    seen_y, seen_x = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    seen = seen_y[:, :, None] & seen_x[:, None]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    index = (labels[:, None] * height + rows)[:, :, None] * width + columns[:, None]
    values = (stamp * heights[:, None, None]).where(seen, 0)
    maps.view(-1).scatter_reduce_(0, index.flatten(), values.flatten(), 'amax')


def group_pixels(
    offsets: Tensor, centers: Tensor, mask: Tensor | None = None
) -> Tensor:
    r"""Give each pixel the number of the centre that its offset leads closest to.

    The grouping of Panoptic-DeepLab and `BESTIE <https://arxiv.org/abs/2109.09477>`__
    (Eq. 1):

    .. math::
        k(p) = \arg\min_k \| p + \mathcal{O}(p) - x_k \|_2.

    Args:
        offsets: (2, H, W) ``(dy, dx)`` in pixels from each pixel to its centre, finite.
        centers: (K, 2) ``(x, y)``, finite.
        mask: (H, W) bool, the pixels to group. Defaults to None: all.

    Returns:
        (H, W) int64, 1 to K, of equally near centres the first; 0 outside the mask, and
        everywhere if there is no centre. A centre may get no pixel.

    Raises:
        TypeError: A mask of fractions.
        ValueError: Wrong shapes, or offsets or centers that are not finite.

    Example:
        >>> offsets = torch.zeros(2, 1, 7)
        >>> offsets[1, 0, 2] = 4  # this pixel points 4 to the right
        >>> group_pixels(offsets, torch.tensor([[6, 0], [0, 0]]))  # column 3 is a tie
        tensor([[2, 2, 1, 1, 1, 1, 1]])
    """
    offsets, mask = _offsets_and_mask(offsets, mask)
    check_shape('centers', centers, ('K', 2), like=offsets)
    check_finite('centers', centers)
    ids = torch.zeros(mask.shape, dtype=torch.int64, device=offsets.device)
    rows, columns = mask.nonzero().T
    dy, dx = offsets[:, rows, columns]
    centers = centers.detach().to(offsets.dtype)
    ids[rows, columns] = 1 + nearest_centers(
        torch.stack([columns + dx, rows + dy], dim=1),
        torch.zeros_like(rows),
        centers,
        rows.new_tensor([len(centers)]),
    )
    return ids


def nearest_centers(
    places: Tensor, groups: Tensor, centers: Tensor, counts: Tensor
) -> Tensor:
    """Find for each place the nearest centre of its group, the first of equally near.

    Only where a group has several centres is there something to compare.

    Args:
        places: (M, 2) ``(x, y)``, floating point, finite.
        groups: (M,) int64, the group of each place, 0 to G - 1.
        centers: (K, 2) ``(x, y)``, those of group 0 first, then those of group 1 etc.
        counts: (G,) int64, how many centres each group has.

    Returns:
        (M,) int64, indices of ``centers``; -1 in a group without any.
    """
    own = counts[groups]
    nearest = torch.where(own > 0, (counts.cumsum(0) - counts)[groups], -1)
    contested = (own > 1).nonzero()[:, 0]
    if not len(contested):
        return nearest
    # One row of centres for each group, filled up with some that are far away.
    ranks = torch.arange(int(counts.max()), device=counts.device)
    table = places.new_full((2, len(counts), len(ranks)), torch.inf)
    table[:, ranks < counts[:, None]] = centers.to(places.dtype).T
    for some in contested.split(max(1, CHUNK // len(ranks))):
        x, y = places[some].T[..., None]
        center_x, center_y = table[:, groups[some]]
        # Squared: a root would make ties of what differs in the last bit.
        away = (x - center_x) ** 2 + (y - center_y) ** 2
        nearest[some] += away.argmin(1)
    return nearest


def cluster_centers(
    offsets: Tensor,
    mask: Tensor | None = None,
    radius: float = 2.5,
    tolerance: float = 3.0,
) -> Tensor:
    """Find centres as the small round regions of which all offsets are small.

    Pixels around a centre point to it, so that those with ``|offset| < radius`` form a
    disc of this radius, of 21 pixels for 2.5. The 4-connected components of such pixels
    that are about as large are centres ("center clustering" of `BESTIE
    <https://arxiv.org/abs/2109.09477>`__, appendix).

    Args:
        offsets: (2, H, W) ``(dy, dx)`` in pixels, finite.
        mask: (H, W) bool, the pixels to look at. Defaults to None: all.
        radius: Bound of a small offset, exclusive, in pixels. Defaults to 2.5.
        tolerance: By how many pixels the area may differ from the disc's, exclusive;
            0 finds nothing. Defaults to 3.0.

    Returns:
        (N, 2) int64 ``(x, y)``, the components' centroids, fractions cut off, in
        row-major order of the components. One may lie outside its component.

    Raises:
        TypeError: A mask of fractions.
        ValueError: Wrong shapes or settings, or offsets that are not finite.

    Example:
        >>> steps = torch.arange(9)
        >>> dy, dx = torch.meshgrid(4 - steps, 5 - steps, indexing='ij')
        >>> cluster_centers(torch.stack([dy, dx]))
        tensor([[5, 4]])
    """
    radius = as_number('radius', radius, '[0, inf)')
    tolerance = as_number('tolerance', tolerance, '[0, inf)')
    (dy, dx), mask = _offsets_and_mask(offsets, mask)
    is_small = (dy * dy + dx * dx).sqrt() < radius
    return round_regions(mask & is_small, radius, tolerance).points


class RoundRegions(NamedTuple):
    """N regions about as large as a disc.

    Attributes:
        values: (N,) int64, the value of each in the map.
        points: (N, 2) int64 ``(x, y)``, the centroids, fractions cut off.
    """

    values: Tensor
    points: Tensor


def round_regions(label_map: Tensor, radius: float, tolerance: float) -> RoundRegions:
    """Find the 4-connected components of about the area of a disc.

    Args:
        label_map: (H, W) bool or integers; 0 and less belong to none.
        radius: That of the disc, exclusive, in pixels.
        tolerance: By how many pixels the area may differ, exclusive.

    Returns:
        Those found, by increasing value, then in row-major order.
    """
    found = connected_components(label_map, connectivity=4)
    is_round = (found.areas - _disc_area(radius)).abs() < tolerance
    return RoundRegions(found.classes[is_round], found.centroids[is_round].long())


def _offsets_and_mask(offsets: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    check_shape('offsets', offsets, (2, 'H', 'W'))
    if mask is None:
        mask = torch.ones_like(offsets[0], dtype=torch.bool)
    check_shape('mask', mask, tuple(offsets.shape[1:]), like=offsets)
    check_integers('mask', mask)
    check_finite('offsets', offsets, 'The network has diverged.')
    return to_full_precision(offsets.detach()), mask.bool()


def _bell(radius: int, sigma: float) -> Tensor:
    steps = torch.arange(-radius, radius + 1, dtype=torch.float64)
    return (-(steps**2) / (2 * sigma**2)).exp()


def _disc_area(radius: float) -> int:
    """Number of pixels nearer than ``radius`` to one of them."""
    steps = np.arange(int(radius) + 1) ** 2
    quarter = steps[:, None] + steps < radius**2
    # Without the axes four quarters, with them the middle twice.
    return int(4 * quarter[1:, 1:].sum() + 4 * quarter[0, 1:].sum() + quarter[0, 0])
