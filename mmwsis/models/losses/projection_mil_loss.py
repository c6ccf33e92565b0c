"""Multiple-instance loss of the projections of a mask on the axes of its box."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from mmwsis.ops.tensor_checks import (
    as_number,
    as_size,
    check_shape,
    full_precision,
    to_full_precision,
)
from mmwsis.registry import MODELS

from .dice_loss import dice_loss
from .reduction import SampleLoss

# How losses see a box at the size of the logits, see downsample_box_mask.
BOX_TARGETS = ('released', 'touched')


def projection_mil_loss(prob: Tensor, box_target: Tensor, eps: float = 1e-3) -> Tensor:
    r"""Compare the row and column maxima of a mask with those of its box.

    A tight box has a positive pixel in each of its rows and columns and none outside
    (Hsu et al., NeurIPS 2019: the bounding box tightness prior).
    `EXITS <https://arxiv.org/abs/2405.20729>`_, Eq. 1, and `MAL
    <https://arxiv.org/abs/2301.03992>`_, Eq. 2, make a loss of it:

    .. math::
        L_\text{mil} = L_\text{dice}(\text{Proj}_x(M), \text{Proj}_x(\hat Y_\text{box}))
            + L_\text{dice}(\text{Proj}_y(M), \text{Proj}_y(\hat Y_\text{box}))

    where :math:`\text{Proj}_x` is the maximum of every column, ``(H, W)`` to ``(W,)``,
    and :math:`\text{Proj}_y` that of every row, ``(H, W)`` to ``(H,)``.

    Args:
        prob: ``(B, H, W)`` foreground probability in [0, 1].
        box_target: ``(B, H, W)`` box in [0, 1]; border values may be fractional.
        eps: Added to each squared sum of the Dice loss. Defaults to 1e-3.

    Returns:
        ``(B,)`` sum of two Dice losses, in [0, 2]. Of equal maxima each takes an equal
        share of the gradient.

    Raises:
        ValueError: Wrong shapes, maps without pixels, or ``eps`` not above 0.

    Example:
        >>> import torch
        >>> prob = torch.tensor([[[0.0, 0.5], [0.2, 0.0]]])
        >>> box = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
        >>> projection_mil_loss(prob, box)
        tensor([0.4520])
    """
    check_shape('prob', prob, ('B', 'H', 'W'))
    check_shape('box_target', box_target, tuple(prob.shape), like=prob)
    _check_pixels('prob', prob)
    prob = to_full_precision(prob)
    # Proj_x: (B, H, W) -> (B, W), the maximum over rows; Proj_y: -> (B, H).
    return sum(
        dice_loss(prob.amax(axis), box_target.amax(axis), eps) for axis in (1, 2)
    )


def downsample_box_mask(
    box_mask: Tensor, size: tuple[int, int], rule: str = 'released'
) -> Tensor:
    """Resize box masks to the size of the logits.

    Args:
        box_mask: ``(B, S, S)`` of any type, 0 or 1.
        size: ``(H, W)`` in pixels.
        rule: 'released': bilinear without antialiasing, as in MAL's released code. For
            an even factor, 512 to 128, each value is the mean of the two central
            samples per axis, so that border values may be fractional. 'touched': 1
            wherever a pixel of the box lies. Defaults to 'released'.

    Returns:
        ``(B, H, W)`` float in [0, 1], float32 under autocast too.

    Raises:
        ValueError: Wrong shape or size, or masks without pixels.

    Example:
        >>> import torch
        >>> box_mask = torch.zeros(1, 8, 8, dtype=torch.uint8)
        >>> box_mask[:, 2:6, 3:8] = 1
        >>> downsample_box_mask(box_mask, (4, 4))[0]
        tensor([[0.0000, 0.0000, 0.0000, 0.0000],
                [0.0000, 0.5000, 1.0000, 1.0000],
                [0.0000, 0.5000, 1.0000, 1.0000],
                [0.0000, 0.0000, 0.0000, 0.0000]])
    """
    check_shape('box_mask', box_mask, ('B', 'H', 'W'))
    if rule not in BOX_TARGETS:
        raise ValueError(f'rule: expected one of {BOX_TARGETS}, got {rule!r}.')
    if rule == 'touched':
        size = as_size('size', size, 1)
        return F.adaptive_max_pool2d(to_full_precision(box_mask), size)
    return downsample_bilinear(box_mask, size)


def downsample_bilinear(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize ``(B, H, W)`` maps bilinearly without aligned corners or antialiasing."""
    size = as_size('size', size, 1)
    _check_pixels('maps', maps)
    with full_precision(maps):
        maps = to_full_precision(maps)
        # interpolate refuses an empty batch; its resized form is empty as well.
        if maps.shape[0] == 0:
            return maps.sum((1, 2))[:, None, None].expand(0, *size)
        return F.interpolate(
            maps[:, None], size=tuple(size), mode='bilinear', align_corners=False
        )[:, 0]


def _check_pixels(name: str, maps: Tensor) -> None:
    if not min(maps.shape[1:]):
        raise ValueError(f'{name}: expected pixels, got shape {tuple(maps.shape)}.')


@MODELS.register_module()
class ProjectionMILLoss(SampleLoss):
    r""":func:`projection_mil_loss` of a batch: the MIL loss of MAL and EXITS.

    The mean divides by :math:`B + 10^{-4}`, not by :math:`B`, because MAL's released
    code does; with it the loss equals the golden cases to the bit.

    Args:
        loss_weight: Factor of the loss; MAL and EXITS' warm-up use 4. Defaults to 4.0.
        eps: Added to each squared sum of the Dice loss. Defaults to 1e-3.
        reduction: 'none', 'mean' or 'sum'. Defaults to 'mean'.

    Raises:
        ValueError: Unknown ``reduction``, a weight below 0, or ``eps`` not above 0.

    Example:
        >>> import torch
        >>> box = torch.zeros(2, 4, 4)
        >>> box[:, 1:3, 1:4] = 1
        >>> loss = ProjectionMILLoss(loss_weight=4.0)
        >>> round(loss(0.5 * box, box).item(), 3)  # half as sure as it should be
        1.604
    """

    batch_eps: ClassVar[float] = 1e-4

    def __init__(
        self, loss_weight: float = 4.0, eps: float = 1e-3, reduction: str = 'mean'
    ) -> None:
        super().__init__(loss_weight, reduction)
        self.eps = as_number('eps', eps, '(0, inf)')

    def forward(
        self,
        prob: Tensor,
        box_target: Tensor,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            prob: ``(B, H, W)`` foreground probability in [0, 1].
            box_target: ``(B, H, W)`` box in [0, 1].
            avg_factor: Divisor of the mean; ``B + 1e-4`` if None. Defaults to None.
            reduction_override: Instead of ``reduction``. Defaults to None.

        Returns:
            Scalar, zero with a graph for B = 0; ``(B,)`` for the reduction 'none'.
        """
        losses = projection_mil_loss(prob, box_target, self.eps)
        return self.reduce(losses, avg_factor, reduction_override)
