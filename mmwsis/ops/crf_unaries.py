"""Energies of labels and of probabilities, from which the dense CRF starts."""

import math

import torch
from torch import Tensor

from .tensor_checks import (
    as_integer,
    as_number,
    check_integers,
    check_tensor,
    check_within,
    full_precision,
    to_full_precision,
)

# How far rounding may lead a probability out of [0, 1], in half precision too.
PROBABILITY_SLACK = 1e-3


def unary_from_labels(
    labels: Tensor,
    num_labels: int,
    gt_prob: float = 0.7,
    ignore_index: int | None = None,
) -> Tensor:
    r"""Make energies of a label map that is right with probability p.

    .. math::
        U_i(l) = -\ln p \text{ for the given label}, \quad
        U_i(l) = -\ln \frac{1 - p}{n - 1} \text{ for the others}.

    Args:
        labels: (..., H, W) integers in [0, num_labels).
        num_labels: n, at least 2.
        gt_prob: Probability p of the given label, in (0, 1). Defaults to 0.7.
        ignore_index: Value of pixels without a label, outside [0, num_labels); all
            their energies are ``ln(n)``. Defaults to None: there are none.

    Returns:
        (..., n, H, W) float32.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Fewer than two labels, a label or probability out of range.

    Example:
        >>> unary_from_labels(torch.tensor([[0, 1, 255]]), 2, ignore_index=255)
        tensor([[[0.3567, 1.2040, 0.6931]],
                [[1.2040, 0.3567, 0.6931]]])
    """
    num_labels = as_integer('num_labels', num_labels, 1)
    if num_labels == 1:
        raise ValueError(
            'num_labels: expected at least 2, got 1; a single label needs no CRF.'
        )
    gt_prob = as_number('gt_prob', gt_prob, '(0, 1)')
    if ignore_index is not None:
        ignore_index = as_integer('ignore_index', ignore_index)
        if 0 <= ignore_index < num_labels:
            raise ValueError(
                f'ignore_index: expected an integer outside [0, {num_labels}), which '
                f'are labels, got {ignore_index}.'
            )
    check_tensor('labels', labels)
    if labels.ndim < 2:
        raise ValueError(
            f'labels: expected shape (..., H, W), got {tuple(labels.shape)}.'
        )
    check_integers('labels', labels)
    labels = labels.long()
    ignored = None if ignore_index is None else labels == ignore_index
    if ignored is not None:
        labels = labels.masked_fill(ignored, 0)
    check_within('labels', labels, 0, num_labels - 1)
    shape = (*labels.shape[:-2], num_labels, *labels.shape[-2:])
    other = -math.log((1 - gt_prob) / (num_labels - 1))
    energy = torch.full(shape, other, device=labels.device)
    energy.scatter_(-3, labels.unsqueeze(-3), -math.log(gt_prob))
    if ignored is not None:
        energy.masked_fill_(ignored.unsqueeze(-3), math.log(num_labels))
    return energy


def unary_from_probabilities(prob: Tensor, floor: float = 1e-5) -> Tensor:
    """Make energies ``-ln(max(prob, floor))`` of probabilities.

    Args:
        prob: Probabilities in [0, 1] of any shape.
        floor: Smallest probability, in (0, 1). Defaults to 1e-5.

    Returns:
        Energies of the same shape; float64 if ``prob`` is, else float32.

    Raises:
        ValueError: A floor outside (0, 1), or probabilities outside [0, 1].

    Example:
        >>> unary_from_probabilities(torch.tensor([0.0, 0.5, 1.0]), floor=1e-2)
        tensor([4.6052, 0.6931, -0.0000])
    """
    floor = as_number('floor', floor, '(0, 1)')
    check_tensor('prob', prob)
    check_within('prob', prob, 0, 1, PROBABILITY_SLACK)
    with full_precision(prob):
        return -to_full_precision(prob).clamp(min=floor).log()
