"""Localization by one point per object (LCFCN, the L-Net of WISE)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops import background_weights, distinct_points
from mmwsis.ops.tensor_checks import (
    as_integer,
    check_finite,
    check_integers,
    check_pixels,
    check_shape,
    check_within,
    full_precision,
    to_full_precision,
)
from mmwsis.registry import MODELS

# What is added to the number of points of a blob in the weight of its local split.
LOCAL_SPLIT_OFFSETS = dict(softmax=1, sigmoid=-1)
BACKGROUND_TERMS = 'loss_false_positive', 'loss_split', 'loss_global_split'


def lcfcn_loss(
    logits: Tensor,
    points: Tensor,
    labels: Tensor,
    form: str = 'softmax',
    local_split_offset: int | None = None,
) -> dict[str, Tensor]:
    r"""Blobs with one point each: the localization loss of an image.

    `LCFCN <https://arxiv.org/abs/1807.09856>`__, the loss of the L-Net of
    `WISE <https://arxiv.org/abs/1906.06392>`__ (Sec. 3.1). With :math:`S` the softmax,
    :math:`b(i) = -\log S_0(i)`, :math:`N` points in all, and the 8-connected blobs of
    the most likely classes:

    - ``loss_image``: cross-entropy of the largest probability of each channel, whose
      target is 1 for the background and the classes that have points;
    - ``loss_point``: :math:`\sum_p -\log S_{t_p}(p)` of the points;
    - ``loss_false_positive``: the mean of :math:`b` in each blob without a point of its
      own class, summed;
    - ``loss_split``: of each blob with :math:`n > 1` own points the mean of :math:`b`
      on the boundaries between them within the blob, times :math:`n` + 1;
    - ``loss_global_split``: of each class the mean of :math:`b` on the boundaries
      between all its points, times :math:`N`.

    The boundaries are those of :func:`~mmwsis.ops.watershed_boundaries`. All terms are
    sums; the paper's split-level loss is both of the split terms. In the form
    ``'sigmoid'`` of the later code, each class with points has a map of its own: blobs
    are where it is above 0.5, the costs are binary cross-entropies, ``loss_image`` is
    parted into ``loss_image_background`` (its smallest probability, if a pixel is no
    point) and ``loss_image_foreground`` (its largest), and the factors are
    :math:`n - 1` of the blob and of the class. A class without points has
    ``loss_absent``, the cost of its largest probability by the number of classes. A
    single class is always trained on its own terms, without points too.

    Args:
        logits: (C + 1, H, W) of the background and C classes; (C, H, W) without a
            background in the form 'sigmoid'.
        points: (N, 2) integers ``(x, y)``. Of one class they may share a pixel, which
            then counts once.
        labels: (N,) integers, the 0-based class of each.
        form: 'softmax' or 'sigmoid'. Defaults to 'softmax'.
        local_split_offset: Added to the number of points in the factor of
            ``loss_split``, at least -1; 0 in the LCFCN paper. Defaults to None: as
            released, 1 for 'softmax' and -1 for 'sigmoid'.

    Returns:
        The terms, scalars of full precision, under autocast too. They are 0 with a
        graph where there is nothing to sum.

    Raises:
        TypeError: Points or labels of fractions.
        ValueError: Wrong shapes or settings, logits that are not finite, a point
            outside the image, a label that is no class, or points of two classes on one
            pixel.

    Example:
        >>> probability = torch.full((3, 4), 0.2)
        >>> probability[1, 1], probability[1, 3] = 0.8, 0.7  # a point on the first
        >>> logits = torch.stack([1 - probability, probability]).log()
        >>> terms = lcfcn_loss(logits, torch.tensor([[1, 1]]), torch.tensor([0]))
        >>> {name: round(term.item(), 4) for name, term in terms.items() if term > 0}
        {'loss_image': 0.4463, 'loss_point': 0.2231, 'loss_false_positive': 1.204}
    """
    form, offset = _settings(form, local_split_offset)
    check_shape('logits', logits, ('C', 'H', 'W'))
    num_classes = len(logits) - (form == 'softmax')
    if num_classes < 1 or not logits.numel():
        raise ValueError(
            f'logits: expected a class and a pixel, got {tuple(logits.shape)}.'
        )
    check_pixels('points', points, logits)
    check_shape('labels', labels, (len(points),), like=logits)
    check_integers('labels', labels)
    check_within('labels', labels, 0, num_classes - 1)
    check_finite('logits', logits, 'The network has diverged.')
    kept = distinct_points(points, labels)
    points, labels = points[kept].long(), labels[kept].long()
    terms = _softmax_terms if form == 'softmax' else _sigmoid_terms
    with full_precision(logits):
        return terms(to_full_precision(logits), points, labels, offset)


@MODELS.register_module()
class LCFCNLoss(nn.Module):
    """:func:`lcfcn_loss` as a module.

    Args:
        form: 'softmax' or 'sigmoid'. Defaults to 'softmax'.
        local_split_offset: Added to the number of points in the factor of
            ``loss_split``, at least -1; 0 in the LCFCN paper. Defaults to None: as
            released, 1 for 'softmax' and -1 for 'sigmoid'.

    Raises:
        ValueError: Wrong settings.

    Example:
        >>> loss = LCFCNLoss()
        >>> logits = torch.zeros(2, 3, 4)
        >>> terms = loss(logits, torch.tensor([[1, 1]]), torch.tensor([0]))
        >>> round(sum(terms.values()).item(), 4)  # the image level and the point
        2.0794
    """

    def __init__(
        self, form: str = 'softmax', local_split_offset: int | None = None
    ) -> None:
        super().__init__()
        self.form, self.local_split_offset = _settings(form, local_split_offset)

    def forward(
        self, logits: Tensor, points: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Return the terms of :func:`lcfcn_loss` of one image."""
        return lcfcn_loss(logits, points, labels, self.form, self.local_split_offset)


def _settings(form: str, local_split_offset: int | None) -> tuple[str, int]:
    if form not in LOCAL_SPLIT_OFFSETS:
        raise ValueError(f"form: expected 'softmax' or 'sigmoid', got {form!r}.")
    if local_split_offset is None:
        return form, LOCAL_SPLIT_OFFSETS[form]
    return form, as_integer('local_split_offset', local_split_offset, -1)


def _softmax_terms(
    logits: Tensor, points: Tensor, labels: Tensor, offset: int
) -> dict[str, Tensor]:
    log_probabilities = logits.log_softmax(0)
    columns, rows = points.T
    # Of equal pixels the first alone gets the gradient.
    largest = log_probabilities.flatten(1).max(1).values.exp()
    present = torch.zeros_like(largest).index_fill_(0, labels + 1, 1)
    present[0] = 1
    probabilities = log_probabilities.detach().exp()
    weights = background_weights(
        probabilities.max(0).indices,
        probabilities[1:],
        points,
        labels,
        local_offset=offset,
        global_factor=len(points),
    )
    return dict(
        loss_image=F.binary_cross_entropy(largest, present, reduction='sum'),
        loss_point=-log_probabilities[labels + 1, rows, columns].sum(),
        **_background_terms(-log_probabilities[0], weights),
    )


def _sigmoid_terms(
    logits: Tensor, points: Tensor, labels: Tensor, offset: int
) -> dict[str, Tensor]:
    # BCE(p, 0) is softplus(logit) and BCE(p, 1) softplus(-logit).
    columns, rows = points.T
    flat = logits.flatten(1)
    # Of equal pixels the first alone gets the gradient.
    lowest, highest = flat.min(1).values, flat.max(1).values
    counts = labels.bincount(minlength=len(logits))
    present = counts > 0
    own = present | (len(logits) == 1)
    background = []
    for label in own.nonzero()[:, 0].tolist():
        probability, mine = logits[label].detach().sigmoid(), labels == label
        weights = background_weights(
            probability > 0.5,
            probability[None],
            points[mine],
            labels[mine] - label,
            local_offset=offset,
            global_factor=int(mine.sum()) - 1,
        )
        background.append(_background_terms(F.softplus(logits[label]), weights))
    zero = 0 * logits[:0].sum()
    return dict(
        loss_image_background=F.softplus(lowest[own & (counts < flat.shape[1])]).sum(),
        loss_image_foreground=F.softplus(-highest[present]).sum(),
        loss_absent=F.softplus(highest[~own]).sum() / len(logits),
        loss_point=F.softplus(-logits[labels, rows, columns]).sum(),
        **{
            name: sum((terms[name] for terms in background), start=zero)
            for name in BACKGROUND_TERMS
        },
    )


def _background_terms(cost: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Sum the background's cost of each pixel, (H, W), by (3, H, W) weights."""
    sums = (weights.to(cost.dtype) * cost).flatten(1).sum(1)
    return dict(zip(BACKGROUND_TERMS, sums))
