"""Embeddings of one object become alike, those of others unlike (WISE)."""

import torch
from torch import Tensor, nn

from mmwsis.ops.tensor_checks import (
    as_number,
    check_integers,
    check_shape,
    full_precision,
    to_full_precision,
)
from mmwsis.registry import MODELS

REDUCTIONS = ('sum', 'mean')


def pixel_embedding_loss(
    anchors: Tensor,
    samples: Tensor,
    same: Tensor,
    eps: float = 1e-6,
    reduction: str = 'sum',
) -> Tensor:
    r"""Loss of pairs of pixels by the similarity of their embeddings.

    `WISE <https://arxiv.org/abs/1906.06392>`__ (Eq. 2 and 3), with
    :math:`z_{ij} = \lVert E_i - E_j \rVert^2 / 2d`:

    .. math::
        S(i, j) = e^{-z_{ij}}, \qquad
        L_E = -\sum_{(i, j)} y_{ij} \log S(i, j) + (1 - y_{ij}) \log(1 - S(i, j)).

    Each of A anchors is paired with all k pixels of each of G groups. The distances are
    differences, never a matrix product, which is inexact for near pairs; memory is that
    of the A x G x k pairs alone, whatever d is.

    Args:
        anchors: (A, d) embeddings.
        samples: (G, k, d) embeddings.
        same: (A, G) bool or 0 and 1, whether an anchor belongs to the object of the
            group.
        eps: Smallest :math:`1 - S`, so that equal pixels of two objects have a finite
            loss. Defaults to 1e-6.
        reduction: 'sum' or 'mean' of the pairs. Defaults to 'sum'.

    Returns:
        Scalar; 0 with a graph without pairs. Full precision, under autocast too.

    Raises:
        TypeError: ``same`` of fractions.
        ValueError: Shapes do not fit, or wrong settings.

    Example:
        >>> anchors = torch.zeros(1, 4)
        >>> samples = torch.full((2, 1, 4), 2**0.5)  # a squared distance of 8
        >>> pixel_embedding_loss(anchors, samples, torch.tensor([[True, False]]))
        tensor(1.4587)
    """
    check_shape('anchors', anchors, ('A', 'd'))
    num_anchors, channels = anchors.shape
    check_shape('samples', samples, ('G', 'k', channels), like=anchors)
    check_shape('same', same, (num_anchors, len(samples)), like=anchors)
    check_integers('same', same)
    eps = as_number('eps', eps, '(0, 1)')
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction: expected one of {REDUCTIONS}, got {reduction!r}.')
    anchors, samples = to_full_precision(anchors), to_full_precision(samples)
    if not num_anchors or not samples.numel():
        return anchors.sum() * 0 + samples.sum() * 0
    with full_precision(anchors):
        distances = torch.cdist(
            anchors,
            samples.flatten(0, 1).to(anchors.dtype),
            compute_mode='donot_use_mm_for_euclid_dist',
        )
        z = distances.square().view(num_anchors, *samples.shape[:2]) / (2 * channels)
        apart = -(-torch.expm1(-z)).clamp(min=eps).log()
        costs = torch.where(same.bool()[..., None], z, apart)
        return costs.sum() if reduction == 'sum' else costs.mean()


@MODELS.register_module()
class PixelEmbeddingLoss(nn.Module):
    """:func:`pixel_embedding_loss` as a module.

    Args:
        eps: Smallest dissimilarity of a pair. Defaults to 1e-6.
        reduction: 'sum', as in the paper, or 'mean' of the pairs. Defaults to 'sum'.
        loss_weight: Factor of the loss. Defaults to 1.0.

    Raises:
        ValueError: Wrong settings.

    Example:
        >>> loss = PixelEmbeddingLoss(reduction='mean')
        >>> loss(torch.zeros(1, 4), torch.ones(2, 3, 4), torch.tensor([[1, 0]]))
        tensor(0.7164)
    """

    def __init__(
        self, eps: float = 1e-6, reduction: str = 'sum', loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.eps = as_number('eps', eps, '(0, 1)')
        if reduction not in REDUCTIONS:
            raise ValueError(
                f'reduction: expected one of {REDUCTIONS}, got {reduction!r}.'
            )
        self.reduction = reduction
        self.loss_weight = as_number('loss_weight', loss_weight, '[0, inf)')

    def forward(self, anchors: Tensor, samples: Tensor, same: Tensor) -> Tensor:
        """Return the weighted loss of one image.

        Args:
            anchors: (A, d) embeddings.
            samples: (G, k, d) embeddings.
            same: (A, G) bool, whether an anchor belongs to the object of the group.

        Returns:
            Scalar.
        """
        loss = pixel_embedding_loss(anchors, samples, same, self.eps, self.reduction)
        return self.loss_weight * loss
