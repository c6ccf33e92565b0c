"""Dice loss with squared sums."""

from torch import Tensor

from mmwsis.ops.tensor_checks import (
    as_number,
    check_shape,
    check_tensor,
    full_precision,
    to_full_precision,
)


def dice_loss(pred: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    r"""Dice loss of each sample.

    .. math::
        L_\text{dice}(a, b) = 1 - \frac{2 \sum_p a_p b_p}
            {\sum_p a_p^2 + \varepsilon + \sum_p b_p^2 + \varepsilon}

    The sums run over all pixels :math:`p` of a sample. It is the form of `V-Net
    <https://arxiv.org/abs/1606.04797>`_ that `MAL <https://arxiv.org/abs/2301.03992>`_
    (Eq. 2 and 5) and `EXITS <https://arxiv.org/abs/2405.20729>`_ (Eq. 1, 8 and 9) are
    built on. Two empty masks give 1 with zero gradient, not 0: the value of MAL's
    released code, kept because the published weights were tuned with it.

    There is no ``reduction``: a call returns the loss of every sample, which the
    losses built on it weight and reduce (:class:`~.reduction.SampleLoss`).

    Args:
        pred: ``(B, ...)`` probability in [0, 1].
        target: Like ``pred``, in [0, 1].
        eps: Added to each of the two squared sums, above 0. Defaults to 1e-3.

    Returns:
        ``(B,)`` loss in [0, 1]; float64 if ``pred`` is, else float32, under autocast
        too.

    Raises:
        ValueError: Shapes differ, or ``eps`` is not above 0.

    Example:
        >>> import torch
        >>> pred = torch.tensor([[1.0, 0, 1, 1], [0, 0, 0, 0]])
        >>> target = torch.tensor([[1.0, 1, 0, 1], [0, 0, 0, 0]])
        >>> dice_loss(pred, target)
        tensor([0.3336, 1.0000])
    """
    check_tensor('pred', pred)
    if pred.ndim < 2:
        raise ValueError(f'pred: expected shape (B, ...), got {tuple(pred.shape)}.')
    check_shape('target', target, tuple(pred.shape), like=pred)
    eps = as_number('eps', eps, '(0, inf)')
    with full_precision(pred):
        pred = to_full_precision(pred).flatten(1)
        target = target.to(pred.dtype).flatten(1)
        overlap = (pred * target).sum(1)
        squares = pred.square().sum(1) + eps + (target.square().sum(1) + eps)
        return 1 - 2 * overlap / squares
