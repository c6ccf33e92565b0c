"""Affinity of pixel pairs from a boundary map (IRNet, CVPR 2019, section 4.4).

``path_affinity`` is the plain map from boundaries to affinities. The functions below it
find the maxima over all paths quickly, and serve the loss of IRNet as well
(:mod:`mmwsis.models.losses.inter_pixel_relation_loss`), which needs no affinity of a
pair but which pixel each maximum is.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .pixel_paths import path_runs, pixel_directions, source_window
from .tensor_checks import (
    as_integer,
    check_shape,
    check_within,
    full_precision,
    to_full_precision,
)

# Ranks up to this many pixels per image fit 16 bits, which halves time and memory.
INT16_PIXELS = 2**15


def path_affinity(edge: Tensor, radius: int) -> Tensor:
    r"""Semantic affinity of all pairs of near pixels of a training grid.

    Two pixels belong together unless a boundary lies between them (Eq. 7 of `IRNet
    <https://arxiv.org/abs/1904.05044>`__):

    .. math::
        a_{ij} = 1 - \max_{k \in \Pi_{ij}} \mathcal{B}(x_k),

    where :math:`\Pi_{ij}` are the pixels on the line from i to j
    (:func:`mmwsis.ops.pixel_paths`), both ends included. Sources i are the pixels from
    which every direction stays in the grid (:func:`mmwsis.ops.source_window`). For the
    pairs of a full grid, pad with a boundary of 1.

    Args:
        edge: (B, 1, h, w) boundary probability in [0, 1].
        radius: Pairs are nearer than this, in pixels; at least 2.

    Returns:
        (B, D, S) affinity in [0, 1] of D directions and S sources in raster order;
        float64 if ``edge`` is, else float32, under autocast too. No gradient: training
        goes through ``InterPixelRelationLoss``, which never stores all pairs.

    Raises:
        ValueError: Wrong shape, boundaries outside [0, 1], or a grid without sources.

    Example:
        >>> edge = torch.arange(12.0).view(1, 1, 3, 4) / 20
        >>> path_affinity(edge, radius=2)[0, 0]  # sources to their right neighbours
        tensor([0.9000, 0.8500, 0.7000, 0.6500])
    """
    check_shape('edge', edge, ('B', 1, 'h', 'w'))
    radius = as_integer('radius', radius, 2)
    source_window(radius, *edge.shape[2:])  # checks the size
    check_within('edge', edge, 0, 1)
    return affinity_of_pairs(edge, radius)


def affinity_of_pairs(edge: Tensor, radius: int) -> Tensor:
    """:func:`path_affinity` of arguments that are checked already."""
    window = source_window(radius, *edge.shape[2:])
    with torch.no_grad(), full_precision(edge):
        # Contiguous: the pairs are slices of the flattened map.
        edge = to_full_precision(edge)[:, 0].contiguous()
        shape = len(edge), len(pixel_directions(radius)), window.height * window.width
        affinity = edge.new_empty(shape)
        if not edge.numel():
            return affinity
        # Maxima come flat, with a few pixels that are no sources; written into a grid
        # of the image's shape the sources can be cut out of them.
        grid = torch.empty_like(edge)
        at_sources = flat_pairs(edge.shape, radius).shift(grid.view(-1), (0, 0))
        for index, maxima in path_maxima(edge, radius):
            at_sources.copy_(maxima)
            sources = grid[:, window.rows, window.cols].flatten(1)  # (B, S)
            torch.sub(1, sources, out=affinity[:, index])
        return affinity


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
    """Return the slices of the pairs of (B, h, w) maps.

    Args:
        shape: (B, h, w) of the maps.
        radius: Pairs are nearer than this, in pixels; at least 2.

    Example:
        >>> pairs = flat_pairs((1, 3, 4), radius=2)
        >>> grid = torch.arange(12)
        >>> pairs.shift(grid, (0, 0))  # the sources 1, 2, 5, 6, and 3, 4 between them
        tensor([1, 2, 3, 4, 5, 6])
        >>> pairs.shift(grid, (1, -1))
        tensor([4, 5, 6, 7, 8, 9])
    """
    (batch, height, width), reach = shape, as_integer('radius', radius, 2) - 1
    pixels = batch * height * width
    return FlatPairs(reach, max(0, pixels - reach * width - 2 * reach), width)


def path_maxima(
    values: Tensor, radius: int, directions: Sequence[int] | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Maximum along the paths, one direction at a time.

    A path is covered by straight runs of 1, 2 or 4 pixels
    (:func:`mmwsis.ops.pixel_paths.path_runs`), whose maxima are computed once for the
    whole map and shared by all directions.

    Args:
        values: (B, h, w), not empty, with at least one source; without gradients.
        radius: Pairs are nearer than this, in pixels; at least 2.
        directions: Indices of the directions wanted. Defaults to None: all.

    Yields:
        The index of a direction and the (length,) maxima at the pixels of
        :func:`flat_pairs`, in a buffer that the next direction overwrites.

    Example:
        >>> grid = torch.arange(12).view(1, 3, 4)
        >>> for index, maxima in path_maxima(grid, radius=2, directions=[1]):
        ...     print(index, maxima)  # each source and the pixel below it
        1 tensor([ 5,  6,  7,  8,  9, 10])
    """
    check_shape('values', values, ('B', 'h', 'w'))
    pairs = flat_pairs(values.shape, radius)
    runs = _run_maxima(values.detach().flatten(), pairs.width)
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
            # A run of twice the length is two runs, the second half a run farther.
            reach = min(length // 2 * step, len(values))
            values = torch.maximum(values[: len(values) - reach], values[reach:])
            runs[length, vertical] = values
    return runs


def rank_pixels(edge: Tensor, leftward: bool) -> Tensor:
    """Rank pixels so that the largest rank on a path is its first maximum.

    Seen from the source, a path is ordered by falling ``dy + |dx|``, in raster order
    among equals. For all paths to one side that is one order of the grid, so a single
    integer tells both which value is larger and which of two equal ones comes first,
    and maxima of ranks may be taken in any order.

    Args:
        edge: (B, h, w) maps.
        leftward: Rank for the directions with ``dx < 0`` instead of the others.

    Returns:
        (B, h, w) int16, or int32 for large grids: the rank of each pixel in its image,
        by rising value, all different.

    Example:
        >>> edge = torch.tensor([[[0.5, 0.1], [0.5, 0.9]]])
        >>> rank_pixels(edge, leftward=False)  # the lower 0.5 comes first on a path
        tensor([[[1, 0],
                 [2, 3]]], dtype=torch.int16)
    """
    check_shape('edge', edge, ('B', 'h', 'w'))
    height, width = edge.shape[1:]
    size = height * width
    # Flat pixels, the last of any path first: near the source's corner before far, and
    # where equally far the lower row before the upper one.
    row = torch.arange(height, device=edge.device)[:, None]
    col = torch.arange(width, device=edge.device)
    far = row + (width - 1 - col if leftward else col)  # (h, w)
    last_first = (far * height + height - 1 - row).flatten().argsort()  # (h * w,)
    # A stable sort by value leaves equal ones in that order: the first ranks highest.
    ascending = edge.detach().flatten(1)[:, last_first].argsort(dim=1, stable=True)
    pixels = last_first[ascending]  # (B, h * w), the pixel of each rank
    # The inverse permutation is the rank of each pixel.
    dtype = torch.int16 if size <= INT16_PIXELS else torch.int32
    in_order = torch.arange(size, device=edge.device, dtype=dtype)
    ranks = torch.empty(pixels.shape, dtype=dtype, device=edge.device)
    ranks.scatter_(1, pixels, in_order.expand(pixels.shape))
    return ranks.view(edge.shape)
