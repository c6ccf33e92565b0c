"""Loss on the points retrieved around extreme points (EXITS, CVPR 2024)."""

from torch import Tensor

from mmwsis.ops import PointRetrieval, lacks_pseudo_points
from mmwsis.ops.tensor_checks import (
    as_number,
    check_integers,
    check_shape,
    check_tensor,
    full_precision,
    to_full_precision,
)
from mmwsis.registry import MODELS

from .dice_loss import dice_loss
from .projection_mil_loss import downsample_bilinear, projection_mil_loss
from .reduction import SampleLoss


def point_labels(retrieval: PointRetrieval) -> tuple[Tensor, Tensor]:
    r"""Return which cells are foreground, and which are labelled at all.

    `EXITS <https://arxiv.org/abs/2405.20729>`_, Eq. 6 and 7:

    .. math::
        \hat Y = \mathbb 1[p \in P_{FG} \cup \hat P_{FG}], \qquad
        K = \mathbb 1[p \in P_{FG} \cup \hat P_{FG} \cup P_{BG} \cup \hat P_{BG}]

    Args:
        retrieval: Points, after dropout where there is one.

    Returns:
        ``(foreground, labelled)``, each ``(B, N, N)`` bool.

    Raises:
        TypeError: Cells that are no booleans.
        ValueError: Their shapes differ.

    Example:
        >>> import torch
        >>> none = torch.zeros(1, 2, 2, dtype=torch.bool)
        >>> extreme, outside = none.clone(), none.clone()
        >>> extreme[:, 0, 0] = outside[:, 1] = True
        >>> points = PointRetrieval(extreme, outside, none, none, none, none)
        >>> foreground, labelled = point_labels(points)
        >>> labelled.int()
        tensor([[[1, 0],
                 [1, 1]]], dtype=torch.int32)
    """
    check_tensor('init_fg', retrieval.init_fg)
    shape = tuple(retrieval.init_fg.shape)
    for name in ('init_fg', 'pseudo_fg', 'init_bg', 'pseudo_bg'):
        cells = getattr(retrieval, name)
        check_shape(name, cells, shape, like=retrieval.init_fg)
        check_integers(name, cells)
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
    r"""Dice loss on the labelled cells; projection loss where nothing was retrieved.

    `EXITS <https://arxiv.org/abs/2405.20729>`_, Eq. 8:

    .. math::
        L_\text{point} = L_\text{dice}(\tilde M \odot K, \hat Y)
            + \mathbb 1[\lvert \hat P_{FG} \cup \hat P_{BG} \rvert = 0]
              \, \lambda_\text{mil} L_\text{mil}

    :math:`\tilde M` is the mask, resized bilinearly to the grid. Whether a sample has
    no pseudo point is asked before dropout.

    Args:
        prob: ``(B, H, W)`` foreground probability in [0, 1].
        box_target: ``(B, H, W)`` box in [0, 1].
        retrieval_before_dropout: Points that decide about the fallback.
        retrieval_after_dropout: Points that are learnt from.
        mil_weight: Weight :math:`\lambda_\text{mil}` of the projection loss in the
            fallback. Defaults to 10.0.
        eps: Added to each squared sum of the Dice losses. Defaults to 1e-3.

    Returns:
        ``(B,)`` loss.

    Raises:
        ValueError: Wrong shapes, a weight below 0, or ``eps`` not above 0.

    Example:
        >>> import torch
        >>> none = torch.zeros(1, 2, 2, dtype=torch.bool)
        >>> extreme, outside, found = none.clone(), none.clone(), none.clone()
        >>> extreme[:, 0, 0] = outside[:, 1] = found[:, 0, 1] = True
        >>> points = PointRetrieval(extreme, outside, found, none, none, none)
        >>> mask = torch.zeros(1, 4, 4)
        >>> mask[:, :2] = 1.0  # all labelled cells are right
        >>> point_loss(mask, torch.ones(1, 4, 4), points, points).round(decimals=2)
        tensor([0.])
    """
    check_shape('prob', prob, ('B', 'H', 'W'))
    mil_weight = as_number('mil_weight', mil_weight, '[0, inf)')
    batch, side = len(prob), retrieval_after_dropout.init_fg.shape[-1]
    for name, retrieval in (
        ('retrieval_before_dropout', retrieval_before_dropout),
        ('retrieval_after_dropout', retrieval_after_dropout),
    ):
        check_shape(
            f'{name}.pseudo_fg', retrieval.pseudo_fg, (batch, side, side), like=prob
        )
    with full_precision(prob):
        prob = to_full_precision(prob)
        # First term: Dice between the mask on the grid and the labelled cells.
        foreground, labelled = point_labels(retrieval_after_dropout)  # (B, N, N)
        on_grid = downsample_bilinear(prob, (side, side))  # (B, N, N)
        losses = dice_loss(on_grid * labelled, foreground, eps)  # (B,)
        # Second term: the projection loss of the samples without a pseudo point.
        mil = projection_mil_loss(prob, box_target, eps)  # (B,)
        fallback = lacks_pseudo_points(retrieval_before_dropout)  # (B,)
        return losses + mil_weight * (mil * fallback)


@MODELS.register_module()
class ExtremePointLoss(SampleLoss):
    r""":func:`point_loss` of a batch, :math:`\lambda_\text{point} L_\text{point}`.

    Args:
        loss_weight: Factor of the loss; EXITS (Eq. 10) uses 0.5, on VOC 0.05. Defaults
            to 0.5.
        mil_weight: Weight of the projection loss where no point was retrieved.
            Defaults to 10.0.
        eps: Added to each squared sum of the Dice losses. Defaults to 1e-3.
        reduction: 'none', 'mean' or 'sum'. Defaults to 'mean'.

    Raises:
        ValueError: Unknown ``reduction``, a weight below 0, or ``eps`` not above 0.

    Example:
        >>> import torch
        >>> from mmwsis.ops import retrieve_points
        >>> in_box = torch.zeros(1, 4, 4, dtype=torch.bool)
        >>> in_box[:, 1:3, 1:3] = True
        >>> extreme = torch.zeros_like(in_box)
        >>> extreme[:, 1, 1] = True
        >>> # Every patch resembles every other: nothing is retrieved.
        >>> points = retrieve_points(torch.full((1, 16, 16), 1 / 16), extreme, in_box)
        >>> prob, box = torch.full((2, 1, 8, 8), 0.5)
        >>> loss = ExtremePointLoss(loss_weight=1.0)
        >>> round(loss(prob, box, points, points).item(), 3)
        0.775
    """

    def __init__(
        self,
        loss_weight: float = 0.5,
        mil_weight: float = 10.0,
        eps: float = 1e-3,
        reduction: str = 'mean',
    ) -> None:
        super().__init__(loss_weight, reduction)
        self.mil_weight = as_number('mil_weight', mil_weight, '[0, inf)')
        self.eps = as_number('eps', eps, '(0, inf)')

    def forward(
        self,
        prob: Tensor,
        box_target: Tensor,
        retrieval_before_dropout: PointRetrieval,
        retrieval_after_dropout: PointRetrieval,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            prob: ``(B, H, W)`` foreground probability in [0, 1].
            box_target: ``(B, H, W)`` box in [0, 1].
            retrieval_before_dropout: Points that decide about the fallback.
            retrieval_after_dropout: Points that are learnt from.
            avg_factor: Divisor of the mean; B if None. Defaults to None.
            reduction_override: Instead of ``reduction``. Defaults to None.

        Returns:
            Scalar, zero with a graph for B = 0; ``(B,)`` for the reduction 'none'.
        """
        losses = point_loss(
            prob,
            box_target,
            retrieval_before_dropout,
            retrieval_after_dropout,
            self.mil_weight,
            self.eps,
        )
        return self.reduce(losses, avg_factor, reduction_override)
