"""The sparse matrices of the permutohedral lattice: splat, blur and slice.

Adams, Baek and Davis, `Fast High-Dimensional Filtering Using the Permutohedral Lattice
<https://graphics.stanford.edu/papers/permutohedral/>`__, Eurographics 2010.

The lattice of d dimensions lies in the plane of d + 1 coordinates with sum 0. The
coordinates of a vertex are integers that all leave the same remainder k, 0 to d, when
divided by d + 1. Space is cut into simplices whose d + 1 corners have the remainders 0
to d, one each. The two neighbours of a vertex along axis j have one less in every
coordinate but d more in coordinate j, and the opposite.

P is the number of points, M of vertices, d of dimensions throughout.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .tensor_checks import divide


class SparseRows(NamedTuple):
    """A sparse matrix by rows (CSR).

    A product is a weighted sum of gathered rows
    (:func:`torch.nn.functional.embedding_bag`), which never stores the gathered rows
    and is vectorised on CPU and CUDA.

    Attributes:
        offsets: (rows + 1,) where the entries of each row begin, and their number.
        columns: (entries,) column of each entry.
        weights: (entries,) its value.
    """

    offsets: Tensor
    columns: Tensor
    weights: Tensor

    def matmul(self, values: Tensor) -> Tensor:
        """Multiply with (columns, C) values."""
        if values.numel() == 0:
            return values.new_zeros(len(self.offsets) - 1, values.shape[1])
        return F.embedding_bag(
            self.columns,
            values,
            self.offsets,
            mode='sum',
            per_sample_weights=self.weights,
            include_last_offset=True,
        )

    def scaled_columns(self, factors: Tensor) -> 'SparseRows':
        """Return the matrix with column i multiplied by ``factors[i]``."""
        weights = self.weights * factors.index_select(0, self.columns)
        return self._replace(weights=weights)


class Lattice(NamedTuple):
    """The sparse matrices of a lattice of M vertices under P points in d dimensions."""

    splat: SparseRows  # M x P
    blur: tuple[SparseRows, ...]  # d + 1 times M x M
    slice: SparseRows  # P x M


def build_lattice(features: Tensor, images: int, dtype: torch.dtype) -> Lattice:
    """Build the lattice of points.

    Args:
        features: (P, d) float64 positions, the images one after the other.
        images: Number of images, which have P / images points each.
        dtype: Type of the weights.

    Returns:
        The matrices splat, blur and slice.

    Raises:
        ValueError: The points spread so far that a vertex has no 63-bit key.

    Example:
        >>> points = torch.tensor([[0.0], [0.5]], dtype=torch.float64)
        >>> lattice = build_lattice(points, images=1, dtype=torch.float32)
        >>> lattice.slice.columns.view(2, 2)  # the corners of both points' simplices
        tensor([[0, 1],
                [0, 1]], dtype=torch.int32)
    """
    dims = features.shape[1]
    # The corners of each point's simplex as (P, d + 1) keys, and their weights, flat.
    quotients, ranks, barycentric = _enclosing_simplices(_elevate(features))
    keys, places = _corner_keys(quotients, ranks, images)
    weights = barycentric.to(dtype).t().reshape(-1)
    # Corners with one key are one vertex: M sorted keys, and for each of the P (d + 1)
    # corners in sorted ``order`` the ``group`` that it belongs to.
    vertices, group, counts, order = _distinct(keys)
    index = torch.int32 if keys.numel() < 2**31 else torch.int64
    device = features.device

    # Vertices are numbered in the order in which the points first touch them: their
    # values then lie near each other in memory when neighbouring points are read. The
    # sort is stable, so that the first corner of a group is the first that touches it.
    starts = counts.cumsum(0) - counts
    by_touch = order.index_select(0, starts).argsort(stable=True)
    numbers = torch.arange(len(by_touch), dtype=index, device=device)
    number = torch.empty_like(numbers).scatter_(0, by_touch, numbers)

    # Slice, P x M: a row per point, whose entries are its d + 1 corners.
    corners = torch.empty(keys.numel(), dtype=index, device=device)
    corners.scatter_(0, order, number.index_select(0, group))
    offsets = torch.arange(0, keys.numel() + 1, dims + 1, dtype=index, device=device)
    # Takes back what blurring d + 1 axes adds to the values in a full lattice.
    gain = 1 + 2.0**-dims
    slice_ = SparseRows(offsets, corners, weights / gain)

    # Splat, M x P: a row per vertex, whose entries are the corners in its group. They
    # stand together in ``order``; each run moves from its start in sorted order to its
    # offset in order of touch, by one shift for all its entries.
    counts = counts.index_select(0, by_touch)
    offsets = F.pad(counts.cumsum(0), (1, 0))
    shifts = starts.index_select(0, by_touch) - offsets[:-1]
    source = torch.repeat_interleave(shifts, counts, output_size=keys.numel())
    source += torch.arange(len(source), device=device)
    source = order.index_select(0, source)  # flat corner of each entry
    # Corner c of point p is entry p (d + 1) + c.
    points_of = torch.div(source.to(index), dims + 1, rounding_mode='floor')
    splat = SparseRows(offsets.to(index), points_of, weights.index_select(0, source))
    blur = _blur_matrices(vertices, places, number, by_touch, dtype)
    return Lattice(splat, blur, slice_)


def _elevate(features: Tensor) -> Tensor:
    r"""Embed (P, d) features in the plane of d + 1 coordinates with sum 0: (d + 1, P).

    With :math:`g_i = f_i \sqrt{2/3} \, (d + 1) / \sqrt{(i + 1)(i + 2)}`, which makes
    the lattice's blur a Gaussian of width 1,

    .. math::
        e_0 = \sum_k g_k, \quad e_j = \sum_{k \ge j} g_k - j \, g_{j - 1}.
    """
    dims = features.shape[1]
    elevated = features.new_empty(dims + 1, len(features))
    tail = features.new_zeros(len(features))  # the sum over k >= j, as j falls
    for j in range(dims, 0, -1):
        scale = math.sqrt(2 / 3) * (dims + 1) / math.sqrt(j * (j + 1))
        scaled = features[:, j - 1] * scale
        # Not alpha=j, which some devices round once and others twice.
        torch.sub(tail, scaled * j, out=elevated[j])
        tail += scaled
    elevated[0] = tail
    return elevated


def _enclosing_simplices(elevated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the simplex around each point.

    Args:
        elevated: (d + 1, P) coordinates with sum 0.

    Returns:
        The remainder-0 corner divided by d + 1, (d + 1, P) integers; the rank of each
        coordinate's distance from it, (d + 1, P) int64, 0 for the largest; and the
        (d + 1, P) barycentric weights of the corners of remainder 0 to d.
    """
    size, points = elevated.shape
    # Round every coordinate to the nearest multiple of d + 1.
    scaled = divide(elevated, size)
    quotients = scaled.round()
    scaled -= quotients  # the distance, in units of d + 1
    excess = quotients.sum(0).to(torch.int8)  # (P,), 0 if the corner is on the plane
    # Rank the distances by comparing all pairs of coordinates; of equal ones the lower
    # index ranks first.
    ranks = torch.arange(size, dtype=torch.int8, device=elevated.device)
    ranks = ranks.unsqueeze(1).repeat(1, points)
    for i in range(size):
        for j in range(i + 1, size):
            smaller = (scaled[i] < scaled[j]).view(torch.int8)
            ranks[i] += smaller
            ranks[j] -= smaller
    # The rounded point may lie off the plane; move the coordinates that rounding
    # changed most to the next multiple.
    ranks += excess
    carry = (ranks < 0).view(torch.int8) - (ranks >= size).view(torch.int8)
    ranks += carry * size
    quotients += carry
    scaled -= carry
    ranks = ranks.long()
    # The weights of the corners are the differences of neighbouring distances in order
    # of rank; the remainder-0 corner gets what is left to a sum of 1.
    by_rank = torch.empty_like(scaled).scatter_(0, ranks, scaled)
    barycentric = torch.empty_like(scaled)
    barycentric[0] = 1 + by_rank[-1] - by_rank[0]
    torch.sub(by_rank[:-1].flip(0), by_rank[1:].flip(0), out=barycentric[1:])
    return quotients, ranks, barycentric


def _corner_keys(
    quotients: Tensor, ranks: Tensor, images: int
) -> tuple[Tensor, list[int]]:
    """Number the corners of each simplex, equal numbers for equal corners.

    All coordinates of a vertex have one remainder k modulo d + 1, so that k and the
    quotients q_0 to q_(d - 1) tell it (q_d follows, as the sum is 0). They are the
    digits of one number, the key, and so is the image b that the point belongs to::

        key = k + q_0 place_0 + q_1 place_1 + ... + q_(d - 1) place_(d - 1) + b whole

    A quotient has room for two values below the least q and one above the largest,
    which other corners and their neighbours have.

    Args:
        quotients: (d + 1, P) remainder-0 corner divided by d + 1.
        ranks: (d + 1, P) int64 ranks of the coordinates.
        images: Number of images; the highest digit of the number.

    Returns:
        (P, d + 1) keys, int32 or int64, and the d places of the quotients.
    """
    size, points = quotients.shape  # d + 1, P
    if points == 0:
        return ranks.new_empty(0, size), [size] * (size - 1)
    # Mixed radix: the remainder has d + 1 values, quotient i has ``spans[i]``; the
    # place of a digit is the product of the numbers of values of all digits before it.
    low = quotients[:-1].amin(1) - 2
    spans = (quotients[:-1].amax(1) - low + 2).tolist()
    places = [size]
    for span in spans:
        places.append(places[-1] * int(span))
    if places[-1] * images >= 2**63:
        raise ValueError(
            f'features: they spread over {[int(span) for span in spans]} cells of the '
            f'lattice in {images} image(s), which is more than 63 bits can number; '
            'use larger widths.'
        )
    *places, whole = places
    dtype = torch.int32 if whole * images < 2**31 else torch.int64
    # Key of the remainder-0 corner of each point, (P,), digit by digit.
    base = torch.arange(images, dtype=dtype, device=quotients.device) * whole
    base = base.repeat_interleave(points // images)
    for place, row, least in zip(places, quotients, low):
        base += (row - least).to(dtype) * place
    # place_of_rank[r, p]: place of the coordinate of rank r of point p; the last
    # coordinate has none, 0.
    place = torch.tensor([*places, 0], dtype=dtype, device=quotients.device)
    place_of_rank = torch.empty_like(ranks, dtype=dtype)
    place_of_rank.scatter_(0, ranks, place.unsqueeze(1).expand(size, points))
    # From corner k - 1 to corner k every coordinate grows by 1, and that of the next
    # rank, from the last on, falls by d + 1: one more in the remainder, one less in
    # that coordinate's quotient.
    keys = base.new_empty(points, size)
    keys[:, 0] = base
    for k in range(1, size):
        base -= place_of_rank[size - k]
        base += 1
        keys[:, k] = base
    return keys, places


def _distinct(keys: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find the distinct ones of any number n of keys, M.

    Returns:
        The (M,) sorted distinct keys, the (n,) index among them of each key in sorted
        order, the (M,) number of keys of each, and the (n,) order that sorts the keys.
    """
    ordered, order = keys.flatten().sort(stable=True)
    vertices, group, counts = ordered.unique_consecutive(
        return_inverse=True, return_counts=True
    )
    return vertices, group, counts, order


def _blur_matrices(
    vertices: Tensor,
    places: list[int],
    number: Tensor,
    by_touch: Tensor,
    dtype: torch.dtype,
) -> tuple[SparseRows, ...]:
    """Build ``new = old + (one neighbour + the other) / 2`` along each of d + 1 axes.

    Args:
        vertices: (M,) sorted keys.
        places: Places of the quotients in a key (:func:`_corner_keys`).
        number: (M,) number of the vertex of each sorted key.
        by_touch: (M,) int64, the inverse permutation: sorted key of each number.
        dtype: Type of the weights.

    Returns:
        d + 1 matrices, M x M; rows and columns are the numbers of vertices. A neighbour
        that does not exist has no entry.
    """
    size, count = len(places) + 1, len(vertices)  # d + 1, M
    here = torch.arange(count, dtype=number.dtype, device=number.device)
    # One less in every coordinate is one less in the remainder. From remainder 0 that
    # is remainder d instead, and one less in every quotient.
    below = vertices - 1
    below += (vertices % size == 0) * (size - sum(places))
    matrices = []
    for place in (*places, 0):
        # The axis' own coordinate is d larger, which is d + 1 more than one less: its
        # quotient is one more. Look the keys up among the sorted ones.
        wanted = below + place
        found = torch.searchsorted(vertices, wanted).clamp_(max=max(count - 1, 0))
        exists = vertices.index_select(0, found) == wanted
        lower = torch.where(exists, number.index_select(0, found), -1)
        # From sorted order to numbers, (M,); -1 where there is none.
        lower = lower.index_select(0, by_touch)
        # If u is the lower neighbour of v, then v is the upper one of u: the inverse of
        # the relation saves a second search. Those without one write to a spare slot.
        upper = here.new_full((count + 1,), -1)
        upper.scatter_(0, torch.where(lower < 0, count, lower).long(), here)
        # Rows of up to three entries: the vertex itself with weight 1, and those of its
        # neighbours that exist with weight 1/2.
        columns = torch.stack([here, lower, upper[:-1]], 1)  # (M, 3)
        exists = columns >= 0
        lengths = exists.sum(1, dtype=number.dtype)
        offsets = F.pad(lengths.cumsum(0, dtype=number.dtype), (1, 0))
        columns = columns.masked_select(exists)
        weights = torch.full((len(columns),), 0.5, dtype=dtype, device=number.device)
        weights.index_fill_(0, offsets[:-1].long(), 1)
        matrices.append(SparseRows(offsets, columns, weights))
    return tuple(matrices)
