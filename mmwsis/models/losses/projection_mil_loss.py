"""Multiple-instance loss of the projections of a mask on the axes of its box."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmwsis.ops.tensor_checks import check_shape, full_precision, to_full_precision
from mmwsis.registry import MODELS

from .dice_loss import dice_loss

# MAL divides the sum over the batch by its size plus this.
BATCH_EPS = 1e-4


def projection_mil_loss(prob: Tensor, box_target: Tensor, eps: float = 1e-3) -> Tensor:
    """Compare the row and column maxima of a mask with those of its box.

    A tight box has a positive pixel in each of its rows and columns and none outside
    (Hsu et al., NeurIPS 2019; MAL, CVPR 2023, section 3.3).

    Args:
        prob: (B, H, W) foreground probability in [0, 1].
        box_target: (B, H, W) box in [0, 1]; border values may be fractional.
        eps: Added to each squared sum of the Dice loss.

    Returns:
        (B,) sum of two Dice losses, in [0, 2]. Of equal maxima each takes an equal
        share of the gradient.

    Raises:
        ValueError: Wrong shapes.
    """
    check_shape('prob', prob, ('B', 'H', 'W'))
    check_shape('box_target', box_target, tuple(prob.shape))
    prob = to_full_precision(prob)
    return sum(
        dice_loss(prob.amax(axis), box_target.amax(axis), eps) for axis in (1, 2)
    )


def downsample_box_mask(box_mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize box masks to the size of the logits, bilinear without antialiasing.

    For an even factor, 512 to 128, each value is the mean of the two central samples
    an axis, so that border values may be fractional, as in MAL.

    Args:
        box_mask: (B, S, S) of any type, 0 or 1.
        size: (H, W) in pixels.

    Returns:
        (B, H, W) float in [0, 1], float32 under autocast too.

    Raises:
        ValueError: Wrong shape.
    """
    check_shape('box_mask', box_mask, ('B', 'H', 'W'))
    return downsample_bilinear(box_mask, size)


def downsample_bilinear(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (B, H, W) maps bilinearly without aligned corners or antialiasing."""
    with full_precision(maps):
        maps = to_full_precision(maps)
        # interpolate refuses an empty batch; its resized form is empty as well.
        if maps.shape[0] == 0:
            return maps.sum((1, 2))[:, None, None].expand(0, *size)
        return F.interpolate(
            maps[:, None], size=tuple(size), mode='bilinear', align_corners=False
        )[:, 0]


@MODELS.register_module()
class ProjectionMILLoss(nn.Module):
    """:func:`projection_mil_loss` averaged over the batch as MAL does.

    Args:
        loss_weight: Factor of the loss; MAL and EXITS' warm-up use 4.
        eps: Added to each squared sum of the Dice loss.
    """

    def __init__(self, loss_weight: float = 4.0, eps: float = 1e-3) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.eps = eps

    def forward(self, prob: Tensor, box_target: Tensor) -> Tensor:
        """Return the weighted loss.

        Args:
            prob: (B, H, W) foreground probability in [0, 1].
            box_target: (B, H, W) box in [0, 1].

        Returns:
            Scalar ``loss_weight * sum / (B + 1e-4)``; zero with a graph for B = 0.
        """
        losses = projection_mil_loss(prob, box_target, self.eps)
        return self.loss_weight * losses.sum() / (len(losses) + BATCH_EPS)
