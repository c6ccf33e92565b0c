"""Class-agnostic instances from a displacement field (IRNet, CVPR 2019, sec. 5.1)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .connected_components import connected_components
from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_shape,
    full_precision,
    to_full_precision,
)

# Updates between two searches for positions that need no update of their own.
COMPACT_EVERY = 16


class InstanceMap(NamedTuple):
    """Which instance each pixel belongs to.

    Attributes:
        ids: (h, w) int64, every one of 0..count - 1 occurs.
        count: Number of instances.
    """

    ids: Tensor
    count: int


def centroid_instance_map(
    displacement: Tensor, num_updates: int = 300, weak_threshold: float = 2.5
) -> InstanceMap:
    r"""Group the pixels whose centroids lie in one region of weak displacement.

    Section 5.1 of `IRNet <https://arxiv.org/abs/1904.05044>`__. The regions are the
    4-connected components of :math:`\|\mathcal{D}(x)\| < 2.5`, in raster order. Pixels
    whose centroid (:func:`refine_centroids`) lies in none form one more instance, which
    comes first. An instance need not be connected.

    Args:
        displacement: (2, h, w) ``(dy, dx)`` in pixels of this grid, finite.
        num_updates: Number of updates of :func:`refine_centroids`. Defaults to 300.
        weak_threshold: Upper bound of a weak displacement's length, exclusive, in
            pixels of this grid. Defaults to 2.5.

    Returns:
        The instance of each pixel.

    Raises:
        ValueError: Wrong shape or number, or values that are not finite.

    Example:
        >>> dx = torch.tensor([2.0, 1, 0, -1, -2, -3, 2, 1, 0, -1, -2])
        >>> displacement = torch.stack([torch.zeros(1, 11), dx[None]])
        >>> instances = centroid_instance_map(displacement)  # around columns 2 and 8
        >>> instances.ids.tolist(), instances.count
        ([[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]], 2)
    """
    weak_threshold = as_number('weak_threshold', weak_threshold, '[0, inf)')
    rows, cols = refine_centroids(displacement, num_updates)
    dy, dx = to_full_precision(displacement.detach())
    weak = (dy * dy + dx * dx).sqrt() < weak_threshold
    regions = connected_components(weak, connectivity=4).labels
    # The region at the centroid of each pixel, 0 for none; (h, w).
    groups = regions[rows, cols]
    # Number the regions that occur from 0 on.
    found, ids = torch.unique(groups, return_inverse=True)
    return InstanceMap(ids, len(found))


def refine_centroids(displacement: Tensor, num_updates: int = 300) -> Tensor:
    r"""Follow a displacement field from every pixel to the centroid of its instance.

    Eq. 10 of `IRNet <https://arxiv.org/abs/1904.05044>`__:

    .. math::
        \mathcal{D}_{u+1}(x) = \mathcal{D}_u(x) + \mathcal{D}(x + \mathcal{D}_u(x)),

    with :math:`\mathcal{D}_0 = 0` here; the centroid is the last
    :math:`x + \mathcal{D}_u(x)`. Each position starts at its pixel and is moved
    ``num_updates`` times by the field, read bilinearly there in float64, kept in
    float32 and inside the map. A position that an update leaves unchanged is final, and
    equal positions have equal futures: neither is computed any further, so the result
    is bitwise that of all updates.

    Args:
        displacement: (2, h, w) ``(dy, dx)`` in pixels of this grid, finite.
        num_updates: Number of updates, at least 0. Defaults to 300, as in the released
            code.

    Returns:
        (2, h, w) int64 ``(row, col)`` of each pixel's centroid, rounded half to even.

    Raises:
        ValueError: Wrong shape or number, or values that are not finite.

    Example:
        >>> displacement = torch.zeros(2, 1, 6)
        >>> displacement[1, 0] = torch.tensor([0.0, -3, 3, -3, 0, 0])  # dx
        >>> rows, cols = refine_centroids(displacement)
        >>> cols
        tensor([[0, 0, 5, 0, 4, 5]])
    """
    check_shape('displacement', displacement, (2, 'h', 'w'))
    num_updates = as_integer('num_updates', num_updates, 0)
    check_finite('displacement', displacement)
    _, height, width = displacement.shape
    device = displacement.device
    with torch.no_grad(), full_precision(displacement):
        grid = torch.meshgrid(
            torch.arange(height, device=device, dtype=torch.float32),
            torch.arange(width, device=device, dtype=torch.float32),
            indexing='ij',
        )
        # From here on columns come first, as in the coordinates of grid_sample: (2, N)
        # of (x, y), N = h * w.
        positions = torch.stack(grid[::-1]).flatten(1)
        if positions.numel() and num_updates:
            positions = _follow(_Field(displacement), positions, num_updates)
        return positions.flip(0).round().long().view(2, height, width)


class _Field:
    """A displacement field read bilinearly in float64."""

    def __init__(self, displacement: Tensor) -> None:
        _, height, width = displacement.shape
        device = displacement.device
        # On sides of 2^k + 1 the change to coordinates in [-1, 1] and back is exact.
        # What is added is read with weight 0 only.
        half_x, half_y = (
            2 ** max(0, (side - 2).bit_length() - 1) for side in (width, height)
        )
        padding = (0, 2 * half_x + 1 - width, 0, 2 * half_y + 1 - height)
        self.field = F.pad(displacement.double().flip(0)[None], padding)
        self.half = displacement.new_tensor([[half_x], [half_y]], dtype=torch.float64)
        self.limit = torch.tensor([[width - 1.0], [height - 1.0]], device=device)

    def move(self, positions: Tensor) -> Tensor:
        """Return (2, M) float32 ``(x, y)`` after one update, in float64 in between."""
        exact = positions.double()
        relative = (exact / self.half).sub_(1)
        step = F.grid_sample(
            self.field,
            relative.t()[None, None],
            mode='bilinear',
            padding_mode='border',
            align_corners=True,
        )[0, :, 0]
        moved = step.add_(exact).float().clamp_(min=0)
        return torch.minimum(moved, self.limit, out=moved)


def _follow(field: _Field, positions: Tensor, num_updates: int) -> Tensor:
    """Return where (2, N) positions are after all updates.

    Few positions are left to compute after some updates: those of an object run into
    the same few places, and then stand still.
    """
    result = positions.clone()
    everyone = torch.arange(positions.shape[1], device=positions.device)
    # Of equal positions one goes on for all; the others remember which.
    leader, moving = everyone.clone(), everyone
    for update in range(1, num_updates + 1):
        previous, positions = positions, field.move(positions)
        if update % COMPACT_EVERY and update != num_updates:
            continue
        result[:, moving] = positions
        # Drop those that the last update left unchanged: they never move again.
        changed = (positions != previous).any(0).nonzero()[:, 0]
        if not len(changed):
            break
        positions, moving = positions[:, changed], moving[changed]
        # Of those in one place keep the first, and remember it as the others' leader.
        first = _first_of_equal(positions)
        leader[moving] = moving[first]
        leads = (first == everyone[: len(first)]).nonzero()[:, 0]
        positions, moving = positions[:, leads].contiguous(), moving[leads]
    # A leader may have been dropped for a leader of its own later on.
    while not torch.equal(leader, leader[leader]):
        leader = leader[leader]
    return result[:, leader]


def _first_of_equal(positions: Tensor) -> Tensor:
    """Return for each of (2, M) positions the index of one that is equal to it."""
    # Both float32 coordinates of a position as the bits of one integer.
    bits = positions.contiguous().view(torch.int32).long()
    keys, group = torch.unique(bits[0] << 32 | bits[1], return_inverse=True)
    representative = torch.empty_like(keys)
    representative[group] = torch.arange(len(group), device=group.device)
    return representative[group]
