"""The largest value in the square window around each pixel, or around each point."""

import torch
from torch import Tensor

from .tensor_checks import as_integer


def as_kernel_size(kernel_size: int) -> int:
    """Return the side of a window, an odd integer of at least 3, or refuse it."""
    kernel_size = as_integer('kernel_size', kernel_size, 3)
    if kernel_size % 2 == 0:
        raise ValueError(f'kernel_size: expected an odd integer, got {kernel_size}.')
    return kernel_size


def window_maximum(maps: Tensor, kernel_size: int) -> Tensor:
    """Maximum of a square window, clipped at the borders, one axis after the other.

    Args:
        maps: (K, H, W).
        kernel_size: Side of the window in pixels, odd.

    Returns:
        (K, H, W).
    """
    if not maps.numel():
        return maps
    for dim in (-1, -2):
        maps = _sliding_maximum(maps, min(kernel_size // 2, maps.shape[dim] - 1), dim)
    return maps


def grouped_window_maximum(
    values: Tensor, groups: Tensor, rows: Tensor, columns: Tensor, kernel_size: int
) -> Tensor:
    """Maximum of the window around each point, among the points of its group alone.

    As if each group had an image of its own. The lines of the tight boxes of all groups
    lie behind one another, far enough apart that no window reaches two of them, first
    the rows, then the columns: the cost is that of the boxes, at whatever number.

    Args:
        values: (M,) of the points, finite.
        groups: (M,) int64 from 0 on.
        rows: (M,) int64; no two points of a group lie in one place.
        columns: (M,) int64.
        kernel_size: Side of the square window in pixels, odd.

    Returns:
        (M,) the maxima.
    """
    if not len(values):
        return values
    num, radius = int(groups.max()) + 1, kernel_size // 2
    (top, height), (left, width) = _extents(groups, num, rows, columns)
    rows, columns = rows - top[groups], columns - left[groups]
    across = _Lines(height, width, radius)
    line = values.new_full((across.size,), -torch.inf)
    line[across.index(groups, rows, columns)] = values
    line = _sliding_maximum(line, across.gap, 0)
    # Every cell of every box, as the maximum of a row is not where its points are.
    areas = height * width
    box = torch.arange(num, device=areas.device).repeat_interleave(areas)
    cell = torch.arange(len(box), device=box.device) - (areas.cumsum(0) - areas)[box]
    row = cell // width[box]
    cell -= row * width[box]
    down = _Lines(width, height, radius)
    other = values.new_full((down.size,), -torch.inf)
    other[down.index(box, cell, row)] = line[across.index(box, row, cell)]
    return _sliding_maximum(other, down.gap, 0)[down.index(groups, columns, rows)]


def _extents(
    groups: Tensor, num: int, *coordinates: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return the smallest coordinate and the extent of each group, for each axis."""
    found = []
    for axis in coordinates:
        ends = axis.new_zeros(2, num)
        for end, reduce in zip(ends, ('amin', 'amax')):
            end.scatter_reduce_(0, groups, axis, reduce, include_self=False)
        occurs = axis.new_zeros(num).index_fill_(0, groups, 1)
        found.append((ends[0], ends[1] - ends[0] + occurs))
    return found


class _Lines:
    """Where the lines of G boxes lie in one long line, with gaps for a window."""

    def __init__(self, counts: Tensor, lengths: Tensor, radius: int) -> None:
        self.gap = min(radius, int(lengths.max()) - 1)
        self.pitch = lengths + self.gap
        sizes = counts * self.pitch
        ends = sizes.cumsum(0)
        self.start, self.size = ends - sizes, int(ends[-1])

    def index(self, box: Tensor, line: Tensor, place: Tensor) -> Tensor:
        return self.start[box] + line * self.pitch[box] + place


def _sliding_maximum(maps: Tensor, radius: int, dim: int) -> Tensor:
    """Maximum of the ``2 * radius + 1`` values around each along a dimension."""
    ends = list(maps.shape)
    ends[dim] = radius
    outside = maps.new_full(ends, -torch.inf)
    maps = torch.cat([outside, maps, outside], dim)
    # Windows of 1, 2, 4, ... pixels, then two that overlap.
    width, size = 1, 2 * radius + 1
    while width < size:
        step = min(width, size - width)
        count = maps.shape[dim] - step
        maps = torch.maximum(maps.narrow(dim, 0, count), maps.narrow(dim, step, count))
        width += step
    return maps
