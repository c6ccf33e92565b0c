"""Gaussian filtering on the permutohedral lattice (Adams, Baek, Davis, 2010).

The lattice is built once from the points' features. Filtering then is three sparse
products: *splat* the points' values onto the corners of their simplices, *blur* along
each axis of the lattice, *slice* the result back at the points. Each product is a
weighted sum of gathered rows (:func:`torch.nn.functional.embedding_bag`), which never
stores the gathered rows and is vectorised on CPU and CUDA.
"""

import copy
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .linear_filter import LinearFilter, combine_factors
from .tensor_checks import to_full_precision


class SparseRows(NamedTuple):
    """A sparse matrix by rows: columns and weights of row i at ``offsets[i:i + 2]``."""

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


class _Lattice(NamedTuple):
    """The sparse matrices of a lattice of M vertices under P points in d dimensions."""

    splat: SparseRows  # M x P
    blur: tuple[SparseRows, ...]  # d + 1 times M x M
    slice: SparseRows  # P x M


class PermutohedralLattice(LinearFilter):
    """Approximate Gaussian filter of values at scattered points, of unit width.

    It computes about ``out_i = sum_j exp(-|f_i - f_j|^2 / 2) value_j``, the point
    itself included, for any number of channels in time linear in the points. Only
    vertices that touch a point exist, as in the authors' implementation; the dense
    CRF's usual results rest on that, so they are not those of exact Gaussians.

    Args:
        features: (N, d) or (B, N, d) positions, divided by the width of the Gaussian
            in each dimension. Images of a batch do not see each other. The lattice is
            built in float64, because which vertices exist changes the result and a
            point between two simplices is common.
        dtype: Type in which values are filtered, torch.float32 or torch.float64; None
            for float64 if the features are, else float32.

    Attributes:
        num_vertices: Vertices of the lattice, of all images together.

    Raises:
        ValueError: Wrong shape, values that are not finite, or features that spread
            so far that a vertex has no 63-bit key.

    Example:
        >>> features = torch.rand(1000, 5) * 10
        >>> lattice = PermutohedralLattice(features)
        >>> smooth = lattice.filter(torch.rand(1000, 21))
        >>> smooth.shape
        torch.Size([1000, 21])
    """

    num_vertices: int

    def __init__(self, features: Tensor, dtype: torch.dtype | None = None) -> None:
        if features.dim() not in (2, 3) or features.shape[-1] < 1:
            raise ValueError(
                'features: expected shape (N, d) or (B, N, d) with d >= 1, got '
                f'{tuple(features.shape)}.'
            )
        with torch.no_grad():
            if dtype is None:
                dtype = to_full_precision(features[..., :0]).dtype
            flat = features.detach().double().flatten(0, -2)
            if not flat.isfinite().all():
                raise ValueError('features: expected finite values, got NaN or Inf.')
            images = features.shape[0] if features.dim() == 3 else 1
            self._plain = _build(flat, images, dtype)
        self.num_vertices = len(self._plain.splat.offsets) - 1
        self._shape = tuple(features.shape[:-1])
        self._factors: tuple[Tensor | None, Tensor | None] = (None, None)
        self._scaled = self._plain
        self._reverse = False
        self._adjoint: PermutohedralLattice | None = None

    def filter(self, values: Tensor) -> Tensor:
        """Filter the points' values.

        Args:
            values: (N, C) or (B, N, C), as the features; converted to the lattice's
                type.

        Returns:
            Filtered values of the same shape. Differentiable in ``values``, as often
            as wanted.

        Raises:
            ValueError: A shape that does not fit the features.
        """
        if tuple(values.shape[:-1]) != self._shape:
            wanted = ', '.join(map(str, (*self._shape, 'C')))
            raise ValueError(
                f'values: expected shape ({wanted}), got {tuple(values.shape)}.'
            )
        dtype = self._plain.slice.weights.dtype
        return self(values.to(dtype).flatten(0, -2)).view(values.shape)

    def apply(self, values: Tensor) -> Tensor:
        """Map contiguous (P, C) values, without recording gradients."""
        splat, blur, slice_ = self._scaled
        values = splat.matmul(values)
        for axis in reversed(blur) if self._reverse else blur:
            values = axis.matmul(values)
        return slice_.matmul(values)

    def scaled(
        self, before: Tensor | None, after: Tensor | None
    ) -> 'PermutohedralLattice':
        """Return ``diag(after) F diag(before)`` of this filter F.

        Args:
            before: (P,) factors of the values that go in; None for ones.
            after: (P,) factors of the values that come out; None for ones.
        """
        other = copy.copy(self)
        old_before, old_after = self._factors
        other._set_factors(
            combine_factors(old_before, before), combine_factors(old_after, after)
        )
        return other

    def adjoint(self) -> 'PermutohedralLattice':
        """Return the transposed filter: the axes are blurred in reverse order."""
        if self._adjoint is None:
            other = copy.copy(self)
            other._reverse = not self._reverse
            before, after = self._factors
            if before is not after:
                other._set_factors(after, before)
            self._adjoint = other
        return self._adjoint

    def _set_factors(self, before: Tensor | None, after: Tensor | None) -> None:
        """Multiply the factors into the weights, so that they cost nothing later."""
        splat, blur, slice_ = self._plain
        if before is not None:
            splat = splat.scaled_columns(before)
        if after is not None:
            corners = slice_.weights.view(-1, len(blur)) * after.unsqueeze(1)
            slice_ = slice_._replace(weights=corners.flatten())
        self._factors = (before, after)
        self._scaled = _Lattice(splat, blur, slice_)
        self._adjoint = None


def _build(features: Tensor, images: int, dtype: torch.dtype) -> _Lattice:
    """Build the lattice of (P, d) points, the images one after the other."""
    dims = features.shape[1]
    quotients, ranks, barycentric = _enclosing_simplices(_elevate(features))
    keys, places = _corner_keys(quotients, ranks, images)
    weights = barycentric.to(dtype).t().reshape(-1)
    vertices, group, counts, order = _distinct(keys)
    index = torch.int32 if keys.numel() < 2**31 else torch.int64
    device = features.device

    # Vertices are numbered in the order in which the points first touch them: their
    # values then lie near each other in memory when neighbouring points are read.
    starts = counts.cumsum(0) - counts
    by_touch = order.index_select(0, starts).argsort(stable=True)
    numbers = torch.arange(len(by_touch), dtype=index, device=device)
    number = torch.empty_like(numbers).scatter_(0, by_touch, numbers)

    corners = torch.empty(keys.numel(), dtype=index, device=device)
    corners.scatter_(0, order, number.index_select(0, group))
    # One bag of d + 1 corners a point.
    offsets = torch.arange(0, keys.numel() + 1, dims + 1, dtype=index, device=device)
    # Takes back what blurring d + 1 axes adds to the values in a full lattice.
    gain = 1 + 2.0**-dims
    slice_ = SparseRows(offsets, corners, weights / gain)

    counts = counts.index_select(0, by_touch)
    offsets = F.pad(counts.cumsum(0), (1, 0))
    shifts = starts.index_select(0, by_touch) - offsets[:-1]
    source = torch.repeat_interleave(shifts, counts, output_size=keys.numel())
    source += torch.arange(len(source), device=device)
    source = order.index_select(0, source)
    points_of = torch.div(source.to(index), dims + 1, rounding_mode='floor')
    splat = SparseRows(offsets.to(index), points_of, weights.index_select(0, source))
    blur = _blur_matrices(vertices, places, number, by_touch, dtype)
    return _Lattice(splat, blur, slice_)


def _elevate(features: Tensor) -> Tensor:
    """Embed (P, d) features in the plane of d + 1 coordinates with sum 0: (d + 1, P).

    The features are scaled so that the lattice's blur is a Gaussian of width 1.
    """
    dims = features.shape[1]
    elevated = features.new_empty(dims + 1, len(features))
    tail = features.new_zeros(len(features))
    for j in range(dims, 0, -1):
        scale = math.sqrt(2 / 3) * (dims + 1) / math.sqrt(j * (j + 1))
        scaled = features[:, j - 1] * scale
        torch.sub(tail, scaled, alpha=j, out=elevated[j])
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
    scaled = elevated / size
    quotients = scaled.round()
    scaled -= quotients  # the distance, in units of d + 1
    excess = quotients.sum(0).to(torch.int8)
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
    by_rank = torch.empty_like(scaled).scatter_(0, ranks, scaled)
    barycentric = torch.empty_like(scaled)
    barycentric[0] = 1 + by_rank[-1] - by_rank[0]
    torch.sub(by_rank[:-1].flip(0), by_rank[1:].flip(0), out=barycentric[1:])
    return quotients, ranks, barycentric


def _corner_keys(
    quotients: Tensor, ranks: Tensor, images: int
) -> tuple[Tensor, list[int]]:
    """Number the corners of each simplex, equal numbers for equal corners.

    The coordinates of a vertex have one remainder k modulo d + 1, so that k and d
    quotients tell it (the last follows from the others). They are the digits of one
    number, with room for the neighbours of the outermost vertices.

    Args:
        quotients: (d + 1, P) remainder-0 corner divided by d + 1.
        ranks: (d + 1, P) int64 ranks of the coordinates.
        images: Number of images; the highest digit of the number.

    Returns:
        (P, d + 1) keys, int32 or int64, and the d places of the quotients.
    """
    size, points = quotients.shape
    if points == 0:
        return ranks.new_empty(0, size), [size] * (size - 1)
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
    base = torch.arange(images, dtype=dtype, device=quotients.device) * whole
    base = base.repeat_interleave(points // images)
    for place, row, least in zip(places, quotients, low):
        base += (row - least).to(dtype) * place
    place = torch.tensor([*places, 0], dtype=dtype, device=quotients.device)
    place_of_rank = torch.empty_like(ranks, dtype=dtype)
    place_of_rank.scatter_(0, ranks, place.unsqueeze(1).expand(size, points))
    keys = base.new_empty(points, size)
    keys[:, 0] = base
    for k in range(1, size):
        # The coordinate of the next rank now is d + 1 smaller, all others 1 larger.
        base -= place_of_rank[size - k]
        base += 1
        keys[:, k] = base
    return keys, places


def _distinct(keys: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return sorted distinct keys, their group, counts, and the order of the keys."""
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
        places: Places of the quotients in a key.
        number: (M,) number of the vertex of each sorted key.
        by_touch: (M,) int64, the inverse permutation.
        dtype: Type of the weights.
    """
    size, count = len(places) + 1, len(vertices)
    here = torch.arange(count, dtype=number.dtype, device=number.device)
    # One less in every coordinate; from remainder 0 that borrows from each quotient.
    below = vertices - 1
    below += (vertices % size == 0) * (size - sum(places))
    matrices = []
    for place in (*places, 0):
        # The axis' own coordinate is d larger instead: its quotient is one more.
        wanted = below + place
        found = torch.searchsorted(vertices, wanted).clamp_(max=max(count - 1, 0))
        exists = vertices.index_select(0, found) == wanted
        lower = torch.where(exists, number.index_select(0, found), -1)
        lower = lower.index_select(0, by_touch)
        # The relation is one to one, so its inverse gives the other neighbour; what
        # has none goes to a slot of its own.
        upper = here.new_full((count + 1,), -1)
        upper.scatter_(0, torch.where(lower < 0, count, lower).long(), here)
        columns = torch.stack([here, lower, upper[:-1]], 1)
        exists = columns >= 0
        lengths = exists.sum(1, dtype=number.dtype)
        offsets = F.pad(lengths.cumsum(0, dtype=number.dtype), (1, 0))
        columns = columns.masked_select(exists)
        weights = torch.full((len(columns),), 0.5, dtype=dtype, device=number.device)
        weights.index_fill_(0, offsets[:-1].long(), 1)
        matrices.append(SparseRows(offsets, columns, weights))
    return tuple(matrices)
