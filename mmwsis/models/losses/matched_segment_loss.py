"""Cross-entropy with the numbering of the true segments that fits a prediction best."""

import torch
from torch import Tensor, nn

from mmwsis.ops.segment_matching import match_segments, matched_map, segment_ious
from mmwsis.ops.tensor_checks import (
    as_number,
    check_floating,
    check_shape,
    full_precision,
    to_full_precision,
)
from mmwsis.registry import MODELS


def matched_segment_loss(
    probs: Tensor, pred_labels: Tensor, gt_map: Tensor, gt_labels: Tensor
) -> Tensor:
    r"""Loss of the pixels' probabilities of detections, whose order means nothing.

    `Li, Arnab and Torr <https://arxiv.org/abs/1808.03575>`__, section 3.4: the true
    segments are matched to the predicted ones (the most probable detection of every
    pixel) of their classes by IoU, and take their numbers Z:

    .. math::
        L = -\frac{1}{|V|} \sum_{i \in V} \ln Q_i(Z_i).

    V are the pixels of matched segments. The matching carries no gradient; predicted
    segments without a partner need no term, as the probabilities of a pixel sum to 1.

    Args:
        probs: (D, H, W), the detections' probabilities Q.
        pred_labels: (D,) class of every detection.
        gt_map: (H, W) integers: the true segment of every pixel, in [0, G), or below 0
            where it is to be ignored.
        gt_labels: (G,) class of every true segment.

    Returns:
        Scalar; 0 with a graph where V is empty. Full precision, under autocast too.

    Raises:
        TypeError: Integers where floats are expected, or fractions where integers are.
        ValueError: Shapes do not fit, or the number of no segment.

    Example:
        >>> probs = torch.tensor([[[0.75, 0.4]], [[0.25, 0.6]]])
        >>> gt_map = torch.tensor([[1, 0]])  # the second true segment is found first
        >>> labels = torch.tensor([7, 7])
        >>> matched_segment_loss(probs, labels, gt_map, labels)
        tensor(0.3993)
    """
    check_shape('probs', probs, ('D', 'H', 'W'))
    check_floating('probs', probs)
    check_shape('pred_labels', pred_labels, (len(probs),), like=probs)
    check_shape('gt_map', gt_map, tuple(probs.shape[1:]), like=probs)
    with full_precision(probs):
        probs = to_full_precision(probs)
        total = probs.sum()
        if not probs.numel() or not total.isfinite():  # NaN is handed on
            return total
        with torch.no_grad():
            found = probs.argmax(0)
            ious = segment_ious(gt_map, gt_labels, found, pred_labels)
            target = matched_map(gt_map, match_segments(ious))
        valid = target >= 0
        if not valid.any():
            return total * 0
        own = probs.gather(0, target.clamp(min=0)[None])[0][valid]
        return -own.clamp(min=torch.finfo(own.dtype).tiny).log().mean()


@MODELS.register_module()
class MatchedSegmentLoss(nn.Module):
    """:func:`matched_segment_loss` as a module.

    Args:
        loss_weight: Factor of the loss. Defaults to 1.0.

    Raises:
        ValueError: A weight below 0.

    Example:
        >>> loss = MatchedSegmentLoss(loss_weight=2.0)
        >>> one = torch.tensor([0])
        >>> loss(torch.full((1, 2, 2), 0.5), one, torch.zeros(2, 2).long(), one)
        tensor(1.3863)
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = as_number('loss_weight', loss_weight, '[0, inf)')

    def forward(
        self, probs: Tensor, pred_labels: Tensor, gt_map: Tensor, gt_labels: Tensor
    ) -> Tensor:
        """Return the weighted loss of one image.

        Args:
            probs: (D, H, W), the detections' probabilities.
            pred_labels: (D,) class of every detection.
            gt_map: (H, W) integers, the true segment of every pixel, below 0 to ignore.
            gt_labels: (G,) class of every true segment.

        Returns:
            Scalar.
        """
        loss = matched_segment_loss(probs, pred_labels, gt_map, gt_labels)
        return self.loss_weight * loss
