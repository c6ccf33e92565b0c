"""Affinity of pixel pairs from a boundary map (IRNet, CVPR 2019, section 4.3)."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .pixel_paths import (
    directions_by_side,
    path_runs,
    pixel_directions,
    source_window,
)
from .tensor_checks import check_shape, full_precision, to_full_precision

# Ranks up to this many pixels an image fit 16 bits, which halves time and memory.
INT16_PIXELS = 2**15


def path_affinity(edge: Tensor, radius: int) -> Tensor:
    """Affinity ``1 - max over the path of edge`` of all pairs of a training grid.

    Sources are the pixels from which every direction stays in the grid
    (:func:`mmwsis.ops.source_window`). The gradient goes to the first maximum in the
    order of :func:`mmwsis.ops.pixel_paths`. For the pairs of a full grid, pad with a
    boundary of 1.

    Args:
        edge: (B, 1, h, w) boundary probability in [0, 1].
        radius: Pairs are nearer than this, in pixels; at least 2.

    Returns:
        (B, D, S) affinity in [0, 1] of D directions and S sources in raster order;
        float64 if ``edge`` is, else float32, under autocast too.

    Raises:
        ValueError: Wrong shape, or a grid without sources.
    """
    check_shape('edge', edge, ('B', 1, 'h', 'w'))
    source_window(radius, *edge.shape[2:])  # checks the size
    with full_precision(edge):
        return 1 - _PathMaximum.apply(to_full_precision(edge)[:, 0], radius)


class PairLabels(NamedTuple):
    """What the labels of source and destination say, three (B, D, S) bool masks."""

    bg_pos: Tensor
    fg_pos: Tensor
    neg: Tensor


def pair_labels(labels: Tensor, radius: int, num_classes: int) -> PairLabels:
    """Compare the labels at both ends of each pair (IRNet, section 4.2).

    Args:
        labels: (B, h, w) integers: 0 background, k + 1 class k; anything else, such
            as 255, is unsure and makes a pair count nowhere.
        radius: Pairs are nearer than this, in pixels; at least 2.
        num_classes: Number of foreground classes.

    Returns:
        Pairs of background, of one class, of different classes.

    Raises:
        ValueError: Wrong shape, or a grid without sources.
    """
    check_shape('labels', labels, ('B', 'h', 'w'))
    window = source_window(radius, *labels.shape[1:])
    valid = (labels >= 0) & (labels <= num_classes)
    rows, cols, height, width = window
    source = labels[:, None, rows, cols]
    shifted = [
        (slice(dy, dy + height), slice(cols.start + dx, cols.start + dx + width))
        for dy, dx in pixel_directions(radius)
    ]
    target = torch.stack([labels[:, y, x] for y, x in shifted], 1)
    both = valid[:, None, rows, cols] & torch.stack(
        [valid[:, y, x] for y, x in shifted], 1
    )
    same = both & (source == target)
    masks = same & (source == 0), same & (source > 0), both & (source != target)
    return PairLabels(*(mask.flatten(2) for mask in masks))


class FlatPairs(NamedTuple):
    """Pairs of a batch as slices of the flattened maps, one for all sources.

    A direction is an offset in the flattened (B, h, w) map. ``length`` neighbouring
    pixels from ``start`` on hold all sources, and a few pixels that are none.
    """

    start: int
    length: int
    width: int

    def shift(self, flat: Tensor, offset: tuple[int, int]) -> Tensor:
        """Return the (..., length) pixels that lie ``(dy, dx)`` from the sources."""
        begin = self.start + offset[0] * self.width + offset[1]
        return flat[..., begin : begin + self.length]


def flat_pairs(shape: tuple[int, int, int], radius: int) -> FlatPairs:
    """Return the slices of the pairs of (B, h, w) maps."""
    (batch, height, width), reach = shape, radius - 1
    pixels = batch * height * width
    return FlatPairs(reach, max(0, pixels - reach * width - 2 * reach), width)


def path_maxima(
    values: Tensor, radius: int, directions: Sequence[int] | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Maximum along the paths, one direction at a time.

    Args:
        values: (B, h, w), not empty, with at least one source.
        radius: Radius of the pairs in pixels.
        directions: Indices of the directions wanted; all by default.

    Yields:
        The index of a direction and the (length,) maxima at the pixels of
        :func:`flat_pairs`, in a buffer that the next direction overwrites.
    """
    pairs = flat_pairs(values.shape, radius)
    runs = _run_maxima(values.flatten(), pairs.width)
    out = values.new_empty(pairs.length)
    covers = path_runs(radius)
    for index in range(len(covers)) if directions is None else directions:
        first, *others = (
            pairs.shift(runs[run.length, run.vertical], run.offset)
            for run in covers[index]
        )
        if not others:
            out.copy_(first)
        for other in others:
            first = torch.maximum(first, other, out=out)
        yield index, out


def _run_maxima(flat: Tensor, width: int) -> dict[tuple[int, bool], Tensor]:
    """Maxima of straight runs from each pixel on, by length and orientation."""
    runs = {}
    for vertical, step in ((False, 1), (True, width)):
        runs[1, vertical] = values = flat
        for length in (2, 4):
            reach = min(length // 2 * step, len(values))
            values = torch.maximum(values[: len(values) - reach], values[reach:])
            runs[length, vertical] = values
    return runs


class RankedPixels(NamedTuple):
    """Pixels ranked so that the largest rank on a path is its first maximum.

    Attributes:
        ranks: (B, h, w) integer rank of each pixel in its image, all different.
        pixels: (B, h * w) flat pixel of each rank.
    """

    ranks: Tensor
    pixels: Tensor


def rank_pixels(edge: Tensor, leftward: bool) -> RankedPixels:
    """Sort the pixels of (B, h, w) maps by value and, where equal, by path order.

    Seen from the source, a path is ordered by falling ``dy + |dx|``, in raster order
    among equals. For all paths to one side that is one order of the grid, so a single
    integer tells both which value is larger and which of two equal ones comes first,
    and maxima of ranks may be taken in any order.

    Args:
        edge: (B, h, w) maps.
        leftward: Rank for the directions with ``dx < 0`` instead of the others.
    """
    height, width = edge.shape[1:]
    size = height * width
    row = torch.arange(height, device=edge.device)[:, None]
    col = torch.arange(width, device=edge.device)
    far = row + (width - 1 - col if leftward else col)
    last_first = (far * height + height - 1 - row).flatten().argsort()
    ascending = edge.detach().flatten(1)[:, last_first].argsort(dim=1, stable=True)
    pixels = last_first[ascending]
    dtype = torch.int16 if size <= INT16_PIXELS else torch.int32
    in_order = torch.arange(size, device=edge.device, dtype=dtype)
    ranks = torch.empty(pixels.shape, dtype=dtype, device=edge.device)
    ranks.scatter_(1, pixels, in_order.expand(pixels.shape))
    return RankedPixels(ranks.view(edge.shape), pixels)


class _PathMaximum(torch.autograd.Function):
    """(B, h, w) maps to the (B, D, S) maxima over paths.

    Keeps the pixel of each maximum, two bytes a pair, and nothing a path point.
    """

    @staticmethod
    def forward(ctx: Any, edge: Tensor, radius: int) -> Tensor:
        directions = pixel_directions(radius)
        window = source_window(radius, *edge.shape[1:])
        shape = (len(edge), len(directions), window.height * window.width)
        ctx.edge_shape = edge.shape
        maxima = edge.new_empty(shape)
        if not edge.numel():
            return maxima
        if not ctx.needs_input_grad[0]:
            for index, found in _source_maxima(edge, radius):
                maxima[:, index] = found
            return maxima
        best = None
        for leftward, indices in enumerate(directions_by_side(radius)):
            ranks, pixels = rank_pixels(edge, bool(leftward))
            ascending = edge.flatten(1).gather(1, pixels)
            best = ranks.new_empty(shape) if best is None else best
            for index, found in _source_maxima(ranks, radius, indices):
                rank = found.long()
                maxima[:, index] = ascending.gather(1, rank)
                best[:, index] = pixels.gather(1, rank)
        ctx.save_for_backward(best)
        return maxima

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        result = grad.new_zeros(ctx.edge_shape).flatten(1)
        for best in ctx.saved_tensors:
            for index in range(best.shape[1]):
                pixel = best[:, index].long()
                result.scatter_add_(1, pixel, grad[:, index])
        return result.view(ctx.edge_shape), None


def _source_maxima(
    values: Tensor, radius: int, directions: Sequence[int] | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Yield the maxima of :func:`path_maxima` as (B, S) at the sources only."""
    rows, cols, *_ = source_window(radius, *values.shape[1:])
    pairs = flat_pairs(values.shape, radius)
    grid = torch.empty_like(values)
    at_sources = pairs.shift(grid.view(-1), (0, 0))
    for index, found in path_maxima(values, radius, directions):
        at_sources.copy_(found)
        yield index, grid[:, rows, cols].flatten(1)
