"""Cross-entropy of the hardest pixels of a batch."""

from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops.tensor_checks import (
    as_integer,
    as_number,
    check_integers,
    check_shape,
    full_precision,
    to_full_precision,
)
from mmwsis.registry import MODELS


def hard_pixel_cross_entropy(
    logits: Tensor,
    target: Tensor,
    ratio: float | None = 0.2,
    ignore_index: int = 255,
) -> Tensor:
    """Mean cross-entropy of the pixels with the largest ones.

    The semantic loss of `BESTIE <https://arxiv.org/abs/2109.09477>`__ (Eq. 5) as in its
    released code: the mean of the largest ``int(ratio * B * H * W)`` values, at least
    one. Ignored pixels are among the B * H * W, with the value 0. The paper has the
    mean over all pixels, ``ratio=None``.

    Args:
        logits: (B, C, H, W).
        target: (B, H, W) integers, 0 to C - 1 or ``ignore_index``.
        ratio: Share of the pixels that count, above 0, at most 1. None: the mean over
            all pixels that are not ignored. Defaults to 0.2.
        ignore_index: Value of ignored pixels. Defaults to 255.

    Returns:
        Scalar; 0 with a graph if all pixels are ignored or there is none. Full
        precision, under autocast too.

    Raises:
        TypeError: A target of fractions.
        ValueError: Shapes do not fit, or wrong settings.

    Example:
        >>> import torch
        >>> logits = torch.zeros(1, 2, 1, 5)
        >>> logits[0, 1, 0, 3] = 4.0  # of five pixels the worst
        >>> target = torch.tensor([[[0, 0, 1, 0, 255]]])
        >>> hard_pixel_cross_entropy(logits, target)
        tensor(4.0181)
    """
    check_shape('logits', logits, ('B', 'C', 'H', 'W'))
    batch, _, height, width = logits.shape
    check_shape('target', target, (batch, height, width), like=logits)
    check_integers('target', target)
    ignore_index = as_integer('ignore_index', ignore_index)
    if ratio is not None:
        ratio = as_number('ratio', ratio, '(0, 1]')
    target = target.long()
    with full_precision(logits):
        losses = F.cross_entropy(
            to_full_precision(logits),
            target,
            ignore_index=ignore_index,
            reduction='none',
        ).flatten()
        if ratio is None:
            return losses.sum() / (target != ignore_index).sum().clamp(min=1)
        if not losses.numel():
            return losses.sum()
        hardest = losses.topk(max(1, int(ratio * losses.numel())), sorted=False)
        return hardest.values.mean()


@MODELS.register_module()
class HardPixelCrossEntropy(nn.Module):
    """:func:`hard_pixel_cross_entropy` as a module.

    Args:
        ratio: Share of the pixels that count. None: the mean over all pixels that are
            not ignored (the paper). Defaults to 0.2.
        ignore_index: Value of ignored pixels. Defaults to 255.
        loss_weight: Factor of the loss. Defaults to 1.0.

    Raises:
        ValueError: Wrong settings.

    Example:
        >>> import torch
        >>> loss = HardPixelCrossEntropy(ratio=0.5)
        >>> logits = torch.tensor([[[[0.0, 4.0]], [[0.0, 0.0]]]])
        >>> loss(logits, torch.tensor([[[0, 0]]]))  # the left pixel
        tensor(0.6931)
    """

    def __init__(
        self,
        ratio: float | None = 0.2,
        ignore_index: int = 255,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.ratio = None if ratio is None else as_number('ratio', ratio, '(0, 1]')
        self.ignore_index = as_integer('ignore_index', ignore_index)
        self.loss_weight = as_number('loss_weight', loss_weight, '[0, inf)')

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the weighted :func:`hard_pixel_cross_entropy` of the arguments."""
        loss = hard_pixel_cross_entropy(logits, target, self.ratio, self.ignore_index)
        return self.loss_weight * loss
