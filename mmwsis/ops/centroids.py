"""Class-agnostic instances from a displacement field (IRNet, CVPR 2019, section 5)."""

from typing import NamedTuple

import torch
from torch import Tensor

from .mask_parts import label_parts
from .tensor_checks import check_shape

# Updates between two searches for positions that need no update of their own.
COMPACT_EVERY = 8


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
    """Group the pixels whose centroids lie in one region of weak displacement.

    The regions are the 4-connected parts of ``|displacement| < weak_threshold``, in
    raster order. Pixels whose centroid lies in none form one more instance, which
    comes first. An instance need not be connected.

    Args:
        displacement: (2, h, w) ``(dy, dx)`` in pixels of this grid, finite.
        num_updates: Number of updates of :func:`refine_centroids`.
        weak_threshold: Upper bound of a weak displacement's length, exclusive.

    Returns:
        The instance of each pixel.

    Raises:
        ValueError: Wrong shape, or values that are not finite.
    """
    rows, cols = refine_centroids(displacement, num_updates)
    dy, dx = displacement.detach()
    weak = (dy * dy + dx * dx).sqrt() < weak_threshold
    parts, _ = label_parts(weak.cpu().numpy())
    groups = torch.from_numpy(parts).to(displacement.device)[rows, cols]
    found, ids = torch.unique(groups, return_inverse=True)
    return InstanceMap(ids, len(found))


def refine_centroids(displacement: Tensor, num_updates: int = 300) -> Tensor:
    """Follow a displacement field from every pixel to the centroid of its instance.

    Each position starts at its pixel and is moved ``num_updates`` times by the field,
    read bilinearly there in float64, kept in float32 and inside the map. A position
    that an update leaves unchanged is final, and equal positions have equal futures:
    neither is computed any further, so the result is bitwise that of all updates.

    Args:
        displacement: (2, h, w) ``(dy, dx)`` in pixels of this grid, finite.
        num_updates: Number of updates, at least 0.

    Returns:
        (2, h, w) int64 ``(row, col)`` of each pixel's centroid, rounded half to even.

    Raises:
        ValueError: Wrong shape or number, or values that are not finite.
    """
    check_shape('displacement', displacement, (2, 'h', 'w'))
    if isinstance(num_updates, bool) or not isinstance(num_updates, int):
        raise ValueError(f'num_updates: expected an integer, got {num_updates!r}.')
    if num_updates < 0:
        raise ValueError(f'num_updates: expected at least 0, got {num_updates}.')
    if not displacement.isfinite().all():
        raise ValueError('displacement: expected finite numbers, got NaN or infinity.')
    _, height, width = displacement.shape
    device = displacement.device
    with torch.no_grad():
        grid = torch.meshgrid(
            torch.arange(height, device=device, dtype=torch.float32),
            torch.arange(width, device=device, dtype=torch.float32),
            indexing='ij',
        )
        positions = torch.stack(grid).flatten(1)
        if positions.numel() and num_updates:
            positions = _follow(_Field(displacement), positions, num_updates)
        return positions.round().long().view(2, height, width)


class _Field:
    """A displacement field read bilinearly in float64.

    Each pixel keeps ``f, f_x, f_y, f_xy`` of its cell, both components side by side,
    so that a position needs one gather of neighbouring numbers.
    """

    def __init__(self, displacement: Tensor) -> None:
        _, height, width = displacement.shape
        self.width = width
        self.limit = displacement.new_tensor([[height - 1], [width - 1]]).float()
        value = displacement.double()
        # The last row and column have no neighbour and positions no fraction there.
        along_x = value.diff(dim=2, append=value[..., -1:])
        along_y = value.diff(dim=1, append=value[:, -1:])
        along_both = along_x.diff(dim=1, append=along_x[:, -1:])
        cells = torch.cat([value, along_x, along_y, along_both])
        self.cells = cells.flatten(1).t().contiguous()

    def move(self, positions: Tensor) -> Tensor:
        """Return (2, M) float32 positions after one update."""
        corner = positions.floor()
        y, x = (positions - corner).double()
        row, col = corner.long()
        cell = self.cells.index_select(0, row.mul_(self.width).add_(col)).t()
        value = torch.addcmul(cell[4:6], cell[6:], x)
        value.mul_(y).add_(cell[:2]).addcmul_(cell[2:4], x)
        moved = value.add_(positions).float().clamp_(min=0)
        return torch.minimum(moved, self.limit, out=moved)


def _follow(field: _Field, positions: Tensor, num_updates: int) -> Tensor:
    """Return where (2, N) positions are after all updates."""
    result = positions.clone()
    everyone = torch.arange(positions.shape[1], device=positions.device)
    # Of equal positions one goes on for all; the others remember which.
    leader, moving = everyone.clone(), everyone
    for update in range(1, num_updates + 1):
        previous, positions = positions, field.move(positions)
        if update % COMPACT_EVERY and update != num_updates:
            continue
        result[:, moving] = positions
        still = (positions != previous).any(0).nonzero()[:, 0]
        if not len(still):
            break
        positions, moving = positions[:, still], moving[still]
        first = _first_of_equal(positions)
        leader[moving] = moving[first]
        leads = (first == everyone[: len(first)]).nonzero()[:, 0]
        positions, moving = positions[:, leads].contiguous(), moving[leads]
    while not torch.equal(leader, leader[leader]):
        leader = leader[leader]
    return result[:, leader]


def _first_of_equal(positions: Tensor) -> Tensor:
    """Return for each of (2, M) positions the index of one that is equal to it."""
    bits = positions.contiguous().view(torch.int32).long()
    keys, group = torch.unique(bits[0] << 32 | bits[1], return_inverse=True)
    representative = torch.empty_like(keys)
    representative[group] = torch.arange(len(group), device=group.device)
    return representative[group]
