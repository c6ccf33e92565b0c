"""The pixels of each class, grouped to the points of that class."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .center_maps import nearest_centers
from .tensor_checks import (
    check_finite,
    check_integers,
    check_shape,
    check_within,
    to_full_precision,
)


class PointGroups(NamedTuple):
    """M pixels of B images, and the point that each belongs to.

    Attributes:
        pixels: (3, M) int64 image, row and column, in row-major order.
        owners: (M,) int64 index into the points of all images.
        points: (P, 2) ``(x, y)``, those of image 0 first.
        labels: (P,) int64, the 0-based class of each point.
    """

    pixels: Tensor
    owners: Tensor
    points: Tensor
    labels: Tensor


def group_to_points(
    classes: Tensor,
    offsets: Tensor,
    points: Sequence[Tensor],
    labels: Sequence[Tensor],
    num_classes: int,
) -> PointGroups:
    """Group the pixels of each class to the points of that class in the image.

    Args:
        classes: (B, H, W) int64, 0 for background, ``c + 1`` for class ``c``.
        offsets: (B, 2, H, W) ``(dy, dx)`` in pixels from each pixel to its centre.
        points: B tensors (N, 2) of ``(x, y)``.
        labels: B tensors (N,), the 0-based class of each point.
        num_classes: Number C of classes.

    Returns:
        The pixels of the classes that have points; of equally near points the first.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Wrong shapes, labels out of range or points that are not finite.
    """
    if not len(points) == len(labels) == len(classes):
        raise ValueError(
            f'points, labels: expected one entry per image, {len(classes)}, got '
            f'{len(points)} and {len(labels)}.'
        )
    for some, own in zip(points, labels):
        check_shape('points', some, ('N', 2), like=classes)
        check_shape('labels', own, (len(some),), like=classes)
        check_integers('labels', own)
    # With none of no image, so that there is something to join.
    every = torch.cat([offsets.new_zeros(0, 2, dtype=torch.float64), *points])
    check_finite('points', every)
    labels = torch.cat([classes.new_zeros(0), *labels]).long()
    check_within('labels', labels, 0, num_classes - 1)
    numbers = [number for number, some in enumerate(points) for _ in range(len(some))]
    # Groups of one image and class; those of equal ones stay in their order.
    groups = labels + classes.new_tensor(numbers) * num_classes
    order = groups.argsort(stable=True)
    counts = groups.bincount(minlength=len(classes) * num_classes)
    pixels = classes.nonzero().T
    image, row, column = pixels
    dy, dx = to_full_precision(offsets[image, :, row, column]).T
    nearest = nearest_centers(
        torch.stack([column + dx, row + dy], dim=1),
        image * num_classes + classes[image, row, column] - 1,
        every[order],
        counts,
    )
    grouped = (nearest >= 0).nonzero()[:, 0]
    return PointGroups(pixels[:, grouped], order[nearest[grouped]], every, labels)
