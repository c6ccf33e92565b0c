"""Gaussian filtering on the permutohedral lattice.

Adams, Baek and Davis, `Fast High-Dimensional Filtering Using the Permutohedral Lattice
<https://graphics.stanford.edu/papers/permutohedral/>`__, Eurographics 2010.

The lattice is built once from the points' features
(:mod:`mmwsis.ops.lattice_matrices`). Filtering then is three sparse products: *splat*
the points' values onto the corners of their simplices, *blur* along each axis of the
lattice, *slice* the result back at the points.
"""

import copy

import torch
from torch import Tensor

from .lattice_matrices import Lattice, build_lattice
from .linear_filter import LinearFilter, combine_factors
from .tensor_checks import check_finite, check_tensor, to_full_precision


class PermutohedralLattice(LinearFilter):
    r"""Approximate Gaussian filter of values at scattered points, of unit width.

    It computes about

    .. math::
        \mathrm{out}_i = \sum_j \exp(-|f_i - f_j|^2 / 2) \, \mathrm{value}_j,

    the point itself included, for any number of channels in time linear in the points
    (`Adams, Baek and Davis, 2010
    <https://graphics.stanford.edu/papers/permutohedral/>`__). Only vertices that touch
    a point exist, as in the authors' implementation; the dense CRF's usual results rest
    on that, so they are not those of exact Gaussians.

    Args:
        features: (N, d) or (B, N, d) positions, divided by the width of the Gaussian
            in each dimension. Images of a batch do not see each other. The lattice is
            built in float64, because which vertices exist changes the result and a
            point between two simplices is common.
        dtype: Type in which values are filtered, torch.float32 or torch.float64.
            Defaults to None: float64 if the features are, else float32.

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
        check_tensor('features', features)
        if dtype not in (None, torch.float32, torch.float64):
            raise ValueError(
                f'dtype: expected torch.float32 or torch.float64, got {dtype}.'
            )
        if features.dim() not in (2, 3) or features.shape[-1] < 1:
            raise ValueError(
                'features: expected shape (N, d) or (B, N, d) with d >= 1, got '
                f'{tuple(features.shape)}.'
            )
        with torch.no_grad():
            if dtype is None:
                dtype = to_full_precision(features[..., :0]).dtype
            flat = features.detach().double().flatten(0, -2)
            check_finite('features', flat)
            images = features.shape[0] if features.dim() == 3 else 1
            self._plain = build_lattice(flat, images, dtype)
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
        check_tensor('values', values, like=self._plain.slice.weights)
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
        values = splat.matmul(values)  # (P, C) -> (M, C)
        # Blurs of different axes do not commute where vertices are missing.
        for axis in reversed(blur) if self._reverse else blur:
            values = axis.matmul(values)
        return slice_.matmul(values)  # (M, C) -> (P, C)

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
            # (P, d + 1) weights: the d + 1 corners of a point share its factor.
            corners = slice_.weights.view(-1, len(blur)) * after.unsqueeze(1)
            slice_ = slice_._replace(weights=corners.flatten())
        self._factors = (before, after)
        self._scaled = Lattice(splat, blur, slice_)
        self._adjoint = None
