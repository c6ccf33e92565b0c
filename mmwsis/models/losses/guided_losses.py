"""Losses of a centre and an offset map on the pixels of known instances (BESTIE)."""

from collections.abc import Callable

from torch import Tensor, nn

from mmwsis.ops.tensor_checks import (
    as_number,
    check_shape,
    full_precision,
    to_full_precision,
)
from mmwsis.registry import MODELS


def center_loss(pred: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    r"""Squared error of centre maps on the weighted pixels.

    `BESTIE <https://arxiv.org/abs/2109.09477>`__ (Eq. 3), "instance-aware guidance":

    .. math::
        L_{center} = \frac{1}{N} \sum_{b, c, p} w_{b, p}
            (\hat{C}_{b, c, p} - C_{b, c, p})^2,
        \qquad N = |\{(b, p) : w_{b, p} > 0\}|.

    All maps of a pixel count, those of other classes too. N is that of the batch on
    this device, so an image without instances does not weigh down the others.

    Args:
        pred: (B, C, H, W) centre maps.
        target: Like ``pred``.
        weight: (B, 1, H, W), at least 0. Defaults to None: the mean over all elements,
            without guidance.

    Returns:
        Scalar; 0 with a graph if no weight is above 0. Full precision, under autocast
        too.

    Raises:
        ValueError: Shapes do not fit.

    Example:
        >>> import torch
        >>> pred = torch.tensor([0.2, -0.4]).view(1, 2, 1, 1)
        >>> weight = torch.full((1, 1, 1, 1), 0.5)
        >>> center_loss(pred, torch.zeros_like(pred), weight)
        tensor(0.1000)
    """
    _check_shapes(pred, target, weight, 'C')
    with full_precision(pred):
        return _guided_mean(_difference(pred, target).square(), weight)


def offset_loss(pred: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    r"""Absolute error of offsets on the weighted pixels.

    `BESTIE <https://arxiv.org/abs/2109.09477>`__ (Eq. 4), with N of
    :func:`center_loss`:

    .. math::
        L_{offset} = \frac{1}{N} \sum_{b, p} w_{b, p}
            \| \hat{\mathcal{O}}_{b, p} - \mathcal{O}_{b, p} \|_1.

    Args:
        pred: (B, 2, H, W) offsets in pixels.
        target: Like ``pred``.
        weight: (B, 1, H, W), at least 0. Defaults to None: the mean over all elements,
            without guidance.

    Returns:
        Scalar; 0 with a graph if no weight is above 0. Full precision, under autocast
        too.

    Raises:
        ValueError: Shapes do not fit.

    Example:
        >>> import torch
        >>> pred = torch.tensor([3.0, -1.0]).view(1, 2, 1, 1)
        >>> weight = torch.full((1, 1, 1, 1), 0.5)
        >>> offset_loss(pred, torch.zeros_like(pred), weight)
        tensor(2.)
    """
    _check_shapes(pred, target, weight, 2)
    with full_precision(pred):
        return _guided_mean(_difference(pred, target).abs(), weight)


class _GuidedLoss(nn.Module):
    """A loss of this module with a factor."""

    function: Callable[..., Tensor]

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = as_number('loss_weight', loss_weight, '[0, inf)')

    def forward(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            pred: (B, K, H, W) maps.
            target: Like ``pred``.
            weight: (B, 1, H, W), at least 0. Defaults to None: the mean over all
                elements, without guidance.

        Returns:
            Scalar.

        Raises:
            ValueError: Shapes do not fit.
        """
        return self.loss_weight * self.function(pred, target, weight)


@MODELS.register_module()
class CenterLoss(_GuidedLoss):
    """:func:`center_loss` as a module.

    Args:
        loss_weight: Factor of the loss; 200 in the paper. Defaults to 1.0.

    Raises:
        ValueError: A ``loss_weight`` below 0.

    Example:
        >>> import torch
        >>> loss = CenterLoss(loss_weight=200.0)
        >>> loss(torch.full((1, 1, 2, 2), 0.5), torch.zeros(1, 1, 2, 2))
        tensor(50.)
    """

    function = staticmethod(center_loss)


@MODELS.register_module()
class OffsetLoss(_GuidedLoss):
    """:func:`offset_loss` as a module.

    Args:
        loss_weight: Factor of the loss; 0.01 in the paper. Defaults to 1.0.

    Raises:
        ValueError: A ``loss_weight`` below 0.

    Example:
        >>> import torch
        >>> loss = OffsetLoss(loss_weight=0.01)
        >>> loss(torch.full((1, 2, 2, 2), 50.0), torch.zeros(1, 2, 2, 2))
        tensor(0.5000)
    """

    function = staticmethod(offset_loss)


def _check_shapes(
    pred: Tensor, target: Tensor, weight: Tensor | None, channels: int | str
) -> None:
    check_shape('pred', pred, ('B', channels, 'H', 'W'))
    check_shape('target', target, tuple(pred.shape), like=pred)
    if weight is not None:
        shape = pred.shape[0], 1, *pred.shape[2:]
        check_shape('weight', weight, shape, like=pred)


def _difference(pred: Tensor, target: Tensor) -> Tensor:
    pred = to_full_precision(pred)
    return pred - target.to(pred.dtype)


def _guided_mean(error: Tensor, weight: Tensor | None) -> Tensor:
    """Sum of an error (B, C, H, W) per pixel of weight above 0, or its plain mean."""
    if weight is None:
        return error.sum() / max(1, error.numel())
    count = (weight > 0).sum().clamp(min=1)  # on the device: nobody waits for it
    return (weight.to(error.dtype) * error).sum() / count
