"""Exact Gaussian filtering over all pairs of points."""

import copy

import torch
from torch import Tensor

from .linear_filter import LinearFilter, combine_factors
from .tensor_checks import check_shape

# Above this one pass takes a minute on a CPU; the lattice does it in a second.
MAX_POINTS = 2**16
# Numbers of the matrix that are held at a time: 64 MiB in float32.
CHUNK_NUMBERS = 2**24


class ExactGaussian(LinearFilter):
    r"""Gaussian filter of unit width over all pairs of points.

    .. math::
        \mathrm{out}_i = \sum_j \exp(-|f_i - f_j|^2 / 2) \, \mathrm{value}_j,

    the point itself included. A small matrix is kept; a large one is computed anew in
    every pass, some rows at a time, so that memory stays bounded. Time is quadratic in
    the points.

    Args:
        features: (B, N, d) positions, divided by the width of the Gaussian in each
            dimension; images of a batch do not see each other.
        dtype: Type in which values are filtered, torch.float32 or torch.float64.
            Defaults to torch.float32.

    Raises:
        ValueError: Wrong shape, or more than ``MAX_POINTS`` points per image.

    Example:
        >>> gaussian = ExactGaussian(torch.tensor([[[0.0], [1.0], [9.0]]]))
        >>> gaussian(torch.tensor([[1.0], [0.0], [2.0]])).flatten()
        tensor([1.0000, 0.6065, 2.0000])
    """

    def __init__(self, features: Tensor, dtype: torch.dtype = torch.float32) -> None:
        check_shape('features', features, ('B', 'N', 'd'))
        images, points, _ = features.shape
        if points > MAX_POINTS:
            raise ValueError(
                f'features: the exact filter compares all pairs of points and takes at '
                f'most {MAX_POINTS} per image, got {points}; use the lattice (backend='
                "'lattice') or smaller images."
            )
        self._features = features.detach().to(dtype)
        self._factors: tuple[Tensor | None, Tensor | None] = (None, None)
        # Images are taken one by one where a row of the whole batch is too much.
        self._rows = max(1, CHUNK_NUMBERS // max(points, 1))
        self._kept: list[Tensor] | None = None
        if images * points <= self._rows:
            self._kept = [self._kernel(image, slice(None)) for image in self._features]

    def apply(self, values: Tensor) -> Tensor:
        """Map (B * N, C) values, without recording gradients."""
        before, after = self._factors
        if before is not None:
            values = values * before.unsqueeze(1)
        result = torch.empty_like(values)
        # Images do not see each other: one matrix each.
        points = self._features.shape[1]
        for index, image in enumerate(self._features):
            place = slice(index * points, (index + 1) * points)
            self._filter_image(index, image, values[place], result[place])
        if after is not None:
            result *= after.unsqueeze(1)
        return result

    def adjoint(self) -> 'ExactGaussian':
        """Return the transposed filter; the kernel itself is symmetric."""
        before, after = self._factors
        return self if before is after else self._with_factors(after, before)

    def scaled(self, before: Tensor | None, after: Tensor | None) -> 'ExactGaussian':
        """Return ``diag(after) F diag(before)`` of this filter F.

        Args:
            before: (B * N,) factors of the values that go in; None for ones.
            after: (B * N,) factors of the values that come out; None for ones.
        """
        old_before, old_after = self._factors
        return self._with_factors(
            combine_factors(old_before, before), combine_factors(old_after, after)
        )

    def _with_factors(
        self, before: Tensor | None, after: Tensor | None
    ) -> 'ExactGaussian':
        other = copy.copy(self)
        other._factors = (before, after)
        return other

    def _filter_image(
        self, index: int, image: Tensor, values: Tensor, out: Tensor
    ) -> None:
        if self._kept is not None:
            torch.mm(self._kept[index], values, out=out)
            return
        for start in range(0, len(values), self._rows):
            rows = slice(start, start + self._rows)
            torch.mm(self._kernel(image, rows), values, out=out[rows])

    @staticmethod
    def _kernel(image: Tensor, rows: slice) -> Tensor:
        """Return the chosen rows of the (N, N) matrix of one image."""
        # Without the matrix product, whose cancellation spoils small distances.
        distance = torch.cdist(
            image[rows], image, compute_mode='donot_use_mm_for_euclid_dist'
        )
        return distance.square_().mul_(-0.5).exp_()
