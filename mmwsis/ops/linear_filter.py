"""Linear maps of per-point values, differentiable through their adjoint."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from .tensor_checks import full_precision


class LinearFilter(ABC):
    """A linear map of (P, C) values to (P, C) values, the same for every channel.

    Autograd needs nothing of the forward pass: the gradient of a linear map is its
    adjoint, so that no intermediate value is kept.

    Example:
        >>> class Double(LinearFilter):
        ...     def apply(self, values):
        ...         return 2 * values
        ...
        ...     def adjoint(self):
        ...         return self
        ...
        ...     def scaled(self, before, after):
        ...         raise NotImplementedError
        >>> values = torch.ones(3, 1, requires_grad=True)
        >>> Double()(values).sum().backward()
        >>> values.grad.flatten()
        tensor([2., 2., 2.])
    """

    @abstractmethod
    def apply(self, values: Tensor) -> Tensor:
        """Map contiguous (P, C) values, without recording gradients."""

    @abstractmethod
    def adjoint(self) -> 'LinearFilter':
        """Return the transposed map."""

    @abstractmethod
    def scaled(self, before: Tensor | None, after: Tensor | None) -> 'LinearFilter':
        """Return ``diag(after) F diag(before)`` of this filter F.

        Args:
            before: (P,) factors of the values that go in; None for ones.
            after: (P,) factors of the values that come out; None for ones.
        """

    def __call__(self, values: Tensor) -> Tensor:
        """Map (P, C) values of the filter's type; gradients of any order flow."""
        return _ApplyFilter.apply(values, self)


class RepeatedFilter(LinearFilter):
    """One filter for each of B equal images, whose values lie one after the other.

    Args:
        linear: Filter of P values.
        times: B; the filter takes B * P values.
    """

    def __init__(self, linear: LinearFilter, times: int) -> None:
        self._linear = linear
        self._times = times

    def apply(self, values: Tensor) -> Tensor:
        """Map contiguous (B * P, C) values, without recording gradients."""
        return torch.cat([self._linear.apply(v) for v in values.chunk(self._times)])

    def adjoint(self) -> 'RepeatedFilter':
        """Return the transposed map."""
        return RepeatedFilter(self._linear.adjoint(), self._times)

    def scaled(self, before: Tensor | None, after: Tensor | None) -> 'RepeatedFilter':
        """Return the scaled filter; the factors are (P,), the same for each image."""
        return RepeatedFilter(self._linear.scaled(before, after), self._times)


def combine_factors(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Multiply two factors of a filter, None standing for ones."""
    if first is None or second is None:
        return first if second is None else second
    return first * second


class _ApplyFilter(torch.autograd.Function):
    """Applies a filter forward and its adjoint backward."""

    @staticmethod
    def forward(ctx, values: Tensor, linear: LinearFilter) -> Tensor:  # noqa: ANN001
        ctx.linear = linear
        return linear.apply(values.contiguous())

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN001
        with full_precision(gradient):
            return _ApplyFilter.apply(gradient, ctx.linear.adjoint()), None
