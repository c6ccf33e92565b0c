"""Gaussian centre maps, and instances from offsets to centres (BESTIE, CVPR 2022)."""

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
    heights = [1.0] * len(points)
    if amplitudes is not None:
        check_shape('amplitudes', amplitudes, (len(points),), like=points)
        check_finite('amplitudes', amplitudes)
        heights = amplitudes.tolist()
    maps = torch.zeros(num_classes, height, width, device=points.device)
    radius = int(3 * sigma + 1)
    # No wider than what can be seen of it.
    radius_y, radius_x = min(radius, max(0, height - 1)), min(radius, max(0, width - 1))
    bell_y, bell_x = (_bell(side, sigma) for side in (radius_y, radius_x))
    stamp = (bell_y[:, None] * bell_x).float().to(maps.device)
    for (x, y), label, high in zip(points.tolist(), labels.tolist(), heights):
        if not (0 <= x < width and 0 <= y < height):
            continue
        rows = slice(max(0, y - radius_y), y + radius_y + 1)
        columns = slice(max(0, x - radius_x), x + radius_x + 1)
        drawn = maps[label, rows, columns]
        top, left = radius_y - y + rows.start, radius_x - x + columns.start
        part = stamp[top : top + drawn.shape[0], left : left + drawn.shape[1]]
        torch.maximum(drawn, part if high == 1 else part * high, out=drawn)
    return maps


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
    if not len(centers) or not len(rows):
        return ids
    dy, dx = offsets[:, rows, columns]
    center_x, center_y = centers.detach().to(offsets.dtype).T
    nearest = [
        # Squared: a root would make ties of what differs in the last bit.
        ((x[:, None] - center_x) ** 2 + (y[:, None] - center_y) ** 2).argmin(1)
        for x, y in zip(
            (columns + dx).split(max(1, CHUNK // len(centers))),
            (rows + dy).split(max(1, CHUNK // len(centers))),
        )
    ]
    ids[rows, columns] = torch.cat(nearest) + 1
    return ids


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
    found = connected_components(
        mask & ((dy * dy + dx * dx).sqrt() < radius), connectivity=4
    )
    is_round = (found.areas - _disc_area(radius)).abs() < tolerance
    return found.centroids[is_round].long()


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
