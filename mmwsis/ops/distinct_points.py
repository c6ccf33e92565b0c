"""Points of an image on different pixels."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .tensor_checks import check_integers, check_shape


def distinct_points(
    points: Tensor, labels: Tensor, names: Sequence[Any] | None = None
) -> Tensor:
    """Find the first point on each pixel; two of one class there are one object.

    Args:
        points: (N, 2) integers ``(x, y)``.
        labels: (N,) integers, the class of each.
        names: N names for the messages, such as the ids of the annotations. Defaults to
            None: the points' indices.

    Returns:
        (M,) int64, the indices of the points to keep, in increasing order. Fewer than
        N are told in a warning.

    Raises:
        TypeError: Points or labels of fractions.
        ValueError: Wrong shapes, or points of different classes on one pixel.

    Example:
        >>> points = torch.tensor([[3, 1], [0, 2], [3, 1]])
        >>> distinct_points(points[:2], torch.tensor([0, 1]))
        tensor([0, 1])
        >>> distinct_points(points, torch.tensor([0, 0, 1]), names=[7, 8, 9])
        Traceback (most recent call last):
            ...
        ValueError: points: expected one class per pixel, got 7 and 9 of classes 0 and \
1 on (3, 1).
    """
    check_shape('points', points, ('N', 2))
    check_integers('points', points)
    check_shape('labels', labels, (len(points),), like=points)
    check_integers('labels', labels)
    names = range(len(points)) if names is None else names
    classes, first = labels.tolist(), {}
    for index, pixel in enumerate(map(tuple, points.tolist())):
        other = first.setdefault(pixel, index)
        if classes[other] != classes[index]:
            raise ValueError(
                f'points: expected one class per pixel, got {names[other]} and '
                f'{names[index]} of classes {classes[other]} and {classes[index]} on '
                f'{pixel}.'
            )
    if len(first) < len(points):
        count = len(points) - len(first)
        warnings.warn(
            f'{count} of {len(points)} points left out: another of the same class is '
            'on their pixel.',
            stacklevel=2,
        )
    return torch.tensor([*first.values()], dtype=torch.int64, device=points.device)
