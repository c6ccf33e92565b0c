"""Loss on the points retrieved around extreme points (EXITS, CVPR 2024)."""

import torch
from torch import Tensor, nn

from mmwsis.ops import PointRetrieval, lacks_pseudo_points
from mmwsis.ops.tensor_checks import check_shape, full_precision, to_full_precision
from mmwsis.registry import MODELS

from .dice_loss import dice_loss
from .projection_mil_loss import downsample_bilinear, projection_mil_loss


def point_labels(retrieval: PointRetrieval) -> tuple[Tensor, Tensor]:
    """Return which cells are foreground, and which are labelled at all.

    Args:
        retrieval: Points, after dropout where there is one.

    Returns:
        ``(foreground, labelled)``, each (B, N, N) bool.
    """
    foreground = retrieval.init_fg | retrieval.pseudo_fg
    return foreground, foreground | retrieval.init_bg | retrieval.pseudo_bg


def point_loss(
    prob: Tensor,
    box_target: Tensor,
    retrieval_before_dropout: PointRetrieval,
    retrieval_after_dropout: PointRetrieval,
    mil_weight: float = 10.0,
    eps: float = 1e-3,
) -> Tensor:
    """Dice loss on the labelled cells; projection loss where nothing was retrieved.

    EXITS, CVPR 2024, section 3.3: the mask is resized bilinearly to the grid and
    compared on labelled cells only. A sample without any pseudo point, before dropout,
    adds ``mil_weight`` times the projection loss.

    Args:
        prob: (B, H, W) foreground probability in [0, 1].
        box_target: (B, H, W) box in [0, 1].
        retrieval_before_dropout: Points that decide about the fallback.
        retrieval_after_dropout: Points that are learnt from.
        mil_weight: Weight of the projection loss in the fallback.
        eps: Added to each squared sum of the Dice losses.

    Returns:
        (B,) loss.

    Raises:
        ValueError: Wrong shapes.
    """
    check_shape('prob', prob, ('B', 'H', 'W'))
    batch, side = len(prob), retrieval_after_dropout.init_fg.shape[-1]
    for name, retrieval in (
        ('retrieval_before_dropout', retrieval_before_dropout),
        ('retrieval_after_dropout', retrieval_after_dropout),
    ):
        check_shape(f'{name}.pseudo_fg', retrieval.pseudo_fg, (batch, side, side))
    with full_precision(prob):
        prob = to_full_precision(prob)
        foreground, labelled = point_labels(retrieval_after_dropout)
        on_grid = downsample_bilinear(prob, (side, side))
        losses = dice_loss(on_grid * labelled, foreground, eps)
        mil = projection_mil_loss(prob, box_target, eps)
        fallback = lacks_pseudo_points(retrieval_before_dropout)
        return losses + mil_weight * torch.where(fallback, mil, 0)


@MODELS.register_module()
class ExtremePointLoss(nn.Module):
    """Mean of :func:`point_loss` over the batch.

    Args:
        loss_weight: Factor of the loss; EXITS uses 0.5, on VOC 0.05.
        mil_weight: Weight of the projection loss where no point was retrieved.
        eps: Added to each squared sum of the Dice losses.
    """

    def __init__(
        self, loss_weight: float = 0.5, mil_weight: float = 10.0, eps: float = 1e-3
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.mil_weight = mil_weight
        self.eps = eps

    def forward(
        self,
        prob: Tensor,
        box_target: Tensor,
        retrieval_before_dropout: PointRetrieval,
        retrieval_after_dropout: PointRetrieval,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            prob: (B, H, W) foreground probability in [0, 1].
            box_target: (B, H, W) box in [0, 1].
            retrieval_before_dropout: Points that decide about the fallback.
            retrieval_after_dropout: Points that are learnt from.

        Returns:
            Scalar ``loss_weight * mean``; zero with a graph for B = 0.
        """
        losses = point_loss(
            prob,
            box_target,
            retrieval_before_dropout,
            retrieval_after_dropout,
            self.mil_weight,
            self.eps,
        )
        return self.loss_weight * losses.sum() / max(len(losses), 1)
