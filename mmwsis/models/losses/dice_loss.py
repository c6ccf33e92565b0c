"""Dice loss with squared sums (V-Net, 2016; as in MAL's released code)."""

from torch import Tensor

from mmwsis.ops.tensor_checks import check_shape, full_precision, to_full_precision


def dice_loss(pred: Tensor, target: Tensor, eps: float = 1e-3) -> Tensor:
    """Dice loss of each sample, ``1 - 2 sum(ab) / (sum(a^2) + sum(b^2) + 2 eps)``.

    Two empty masks give 1 with zero gradient, not 0: MAL's value, kept because the
    published weights were tuned with it.

    Args:
        pred: (B, ...) probability in [0, 1].
        target: Like ``pred``, in [0, 1].
        eps: Added to each of the two squared sums.

    Returns:
        (B,) loss in [0, 1]; float64 if ``pred`` is, else float32, under autocast too.

    Raises:
        ValueError: Shapes differ.
    """
    check_shape('pred', pred, ('B', *pred.shape[1:]))
    check_shape('target', target, tuple(pred.shape))
    with full_precision(pred):
        pred = to_full_precision(pred).flatten(1)
        target = target.to(pred.dtype).flatten(1)
        overlap = (pred * target).sum(1)
        squares = pred.square().sum(1) + eps + (target.square().sum(1) + eps)
        return 1 - 2 * overlap / squares
