"""Means and maxima of the values of each group, at any number of groups at once."""

import torch
from torch import Tensor


def mean_of_groups(values: Tensor, groups: Tensor, num: int) -> Tensor:
    """Mean of each group, summed in float64.

    Args:
        values: (M,).
        groups: (M,) int64, 0 to ``num`` - 1; every one occurs.
        num: Number G of groups.

    Returns:
        (G,) of the type of ``values``.
    """
    sums = values.new_zeros(2, num, dtype=torch.float64)
    sums.index_add_(1, groups, torch.stack([values, torch.ones_like(values)]).double())
    return (sums[0] / sums[1]).to(values.dtype)


def first_of_largest(values: Tensor, groups: Tensor, num: int) -> tuple[Tensor, Tensor]:
    """The largest value of each group, and the first place that has it.

    Args:
        values: (M,), finite.
        groups: (M,) int64, 0 to ``num`` - 1; every one occurs.
        num: Number G of groups.

    Returns:
        (G,) the values, and (G,) int64 their indices.
    """
    largest = values.new_zeros(num).scatter_reduce_(
        0, groups, values, 'amax', include_self=False
    )
    hits = (values == largest[groups]).nonzero()[:, 0]
    first = hits.new_zeros(num).scatter_reduce_(
        0, groups[hits], hits, 'amin', include_self=False
    )
    return largest, first
