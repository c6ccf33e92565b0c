"""What each pixel says of the detections that it may belong to.

Li, Arnab and Torr, `Weakly- and Semi-Supervised Panoptic Segmentation
<https://arxiv.org/abs/1808.03575>`__, ECCV 2018, with the terms of Arnab and Torr,
`Pixelwise Instance Segmentation with a Dynamically Instantiated Network
<https://arxiv.org/abs/1704.02386>`__, CVPR 2017.
"""

import torch
from torch import Tensor

from .tensor_checks import (
    as_number,
    check_finite,
    check_floating,
    check_integers,
    check_shape,
    check_within,
    full_precision,
    to_full_precision,
)


def box_term(probs: Tensor, labels: Tensor, scores: Tensor, boxes: Tensor) -> Tensor:
    r"""A detection explains the pixels of its class within its box.

    The box term of `Arnab and Torr <https://arxiv.org/abs/1704.02386>`__, section 3.2:

    .. math::
        \psi_B(i, k) = s_k Q_i(l_k) \text{ if } i \in B_k \text{, else } 0.

    A pixel is within a box if its centre is, that is ``x1 <= x + 0.5 < x2``; a box with
    no such pixel has no term.

    Args:
        probs: (L, H, W), the classes' probabilities Q.
        labels: (D,) class of every detection, in [0, L).
        scores: (D,) in [0, 1].
        boxes: (D, 4), (x1, y1, x2, y2) in pixels.

    Returns:
        (D, H, W); float64 if ``probs`` is, else float32.

    Raises:
        TypeError: Labels of fractions.
        ValueError: Shapes that do not fit, or values out of range.

    Example:
        >>> probs = torch.tensor([[[0.8, 0.8, 0.8]], [[0.2, 0.2, 0.2]]])
        >>> box = torch.tensor([[0.0, 0.0, 2.0, 1.0]])
        >>> box_term(probs, torch.tensor([0]), torch.tensor([0.5]), box)
        tensor([[[0.4000, 0.4000, 0.0000]]])
    """
    probs = _check_probs(probs, labels)
    check_shape('scores', scores, (len(labels),), like=probs)
    check_shape('boxes', boxes, (len(labels), 4), like=probs)
    check_within('scores', scores, 0, 1)
    check_finite('boxes', boxes)
    left, top, right, bottom = boxes.to(probs.dtype)[..., None].unbind(1)
    x, y = (
        torch.arange(side, dtype=probs.dtype, device=probs.device) + 0.5
        for side in (probs.shape[2], probs.shape[1])
    )
    columns = (left <= x) & (x < right)  # (D, W)
    rows = (top <= y) & (y < bottom)  # (D, H)
    weights = scores.to(probs.dtype)[:, None, None] * rows[:, :, None]
    return probs[labels.long()] * (weights * columns[:, None])


def global_term(probs: Tensor, labels: Tensor) -> Tensor:
    r"""A detection explains the pixels of its class wherever they are.

    The global term of `Arnab and Torr <https://arxiv.org/abs/1704.02386>`__, section
    3.2, which makes up for boxes that are too small:

    .. math::
        \psi_G(i, k) = Q_i(l_k).

    Args:
        probs: (L, H, W), the classes' probabilities Q.
        labels: (D,) class of every detection, in [0, L).

    Returns:
        (D, H, W); float64 if ``probs`` is, else float32.

    Raises:
        TypeError: Labels of fractions.
        ValueError: Shapes that do not fit, or labels out of range.

    Example:
        >>> probs = torch.tensor([[[0.8]], [[0.2]]])
        >>> global_term(probs, torch.tensor([1, 0, 1])).flatten()
        tensor([0.2000, 0.8000, 0.2000])
    """
    return _check_probs(probs, labels)[labels.long()]


def instance_unary(
    probs: Tensor,
    labels: Tensor,
    scores: Tensor,
    boxes: Tensor,
    box_weight: float | Tensor = 1.0,
    global_weight: float | Tensor = 1.0,
    eps: float = 1e-8,
) -> Tensor:
    r"""Energy of assigning each pixel to each detection.

    The unary potential of `Li, Arnab and Torr <https://arxiv.org/abs/1808.03575>`__,
    section 3.4: the logarithm of a sum of :func:`box_term` and :func:`global_term`,

    .. math::
        U_i(k) = -\ln(w_1 \psi_B(i, k) + w_2 \psi_G(i, k) + \epsilon).

    Differentiable in ``probs`` and in the weights.

    Args:
        probs: (L, H, W), the classes' probabilities Q.
        labels: (D,) class of every detection, in [0, L).
        scores: (D,) in [0, 1].
        boxes: (D, 4), (x1, y1, x2, y2) in pixels.
        box_weight: :math:`w_1`, at least 0; a scalar tensor may carry gradients.
            Defaults to 1.0.
        global_weight: :math:`w_2`, likewise. Defaults to 1.0.
        eps: Keeps the energy finite. Defaults to 1e-8.

    Returns:
        (D, H, W); float64 if ``probs`` is, else float32, under autocast too.

    Raises:
        TypeError: Labels of fractions.
        ValueError: Shapes that do not fit, or values out of range.

    Example:
        >>> probs = torch.tensor([[[0.8, 0.8]], [[0.2, 0.2]]])
        >>> box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        >>> instance_unary(probs, torch.tensor([0]), torch.tensor([0.5]), box)
        tensor([[[-0.1823,  0.2231]]])
    """
    eps = as_number('eps', eps, '(0, inf)')
    box_weight = _weight('box_weight', box_weight)
    global_weight = _weight('global_weight', global_weight)
    probs = _check_probs(probs, labels)
    with full_precision(probs):
        explained = box_weight * box_term(probs, labels, scores, boxes)
        explained = explained + global_weight * global_term(probs, labels)
        return -(explained + eps).log()


def _weight(name: str, value: float | Tensor) -> float | Tensor:
    """Check a weight; of one that is learned NaN shows in the result."""
    if isinstance(value, Tensor) and value.requires_grad:
        check_shape(name, value, ())
        return value
    return as_number(name, value, '[0, inf)')


def _check_probs(probs: Tensor, labels: Tensor) -> Tensor:
    """Return ``probs`` in full precision."""
    check_shape('probs', probs, ('L', 'H', 'W'))
    check_floating('probs', probs)
    check_shape('labels', labels, ('D',), like=probs)
    check_integers('labels', labels)
    check_within('labels', labels, 0, len(probs) - 1)
    return to_full_precision(probs)
