"""Instances with scores from the maps of a centre and offset network (BESTIE)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .component_instances import component_instances
from .grouped_values import mean_of_groups
from .point_groups import group_to_points
from .tensor_checks import (
    check_finite,
    check_integers,
    check_shape,
    check_tensor,
    to_full_precision,
)


class ScoredInstances(NamedTuple):
    """R disjoint instances of an image.

    Attributes:
        labels: (R,) int64, 0-based classes.
        scores: (R,)
        masks: (R, H, W) bool, none empty.
    """

    labels: Tensor
    scores: Tensor
    masks: Tensor


class PointInstances(NamedTuple):
    """Instances of the points that have one.

    Attributes:
        objects: (R,) int64, the index of the point that each instance is of.
        instances: R instances.
    """

    objects: Tensor
    instances: ScoredInstances


@torch.no_grad()
def scored_instances(
    probabilities: Tensor,
    centers: Tensor,
    offsets: Tensor,
    threshold: float = 0.1,
    keep_centerless: bool = True,
    semantic_map: Tensor | None = None,
    **settings: Any,
) -> ScoredInstances:
    r"""The instances of an image, each with the score :math:`v s`.

    Inference of `BESTIE <https://arxiv.org/abs/2109.09477>`__, section 3.2: the most
    probable classes are parted into instances
    (:func:`~mmwsis.ops.component_instances`). :math:`s` is the mean probability of the
    class over the instance and :math:`v` its largest centre value; from 1 on, at a
    clustered centre or where the network overshoots, :math:`v` is :math:`s`.

    Args:
        probabilities: (C + 1, H, W) of background and C classes, finite;
            :func:`keep_tagged` leaves those of known classes.
        centers: (C, H, W) centre maps, finite.
        offsets: (2, H, W) ``(dy, dx)`` in pixels, finite.
        threshold: Bound of a centre's value, exclusive. Defaults to 0.1.
        keep_centerless: Take a component without any centre as one instance. Defaults
            to True.
        semantic_map: (H, W) integers to take for the most probable classes: 0 is
            background, ``c + 1`` class ``c``. Defaults to None: they are looked up.
        **settings: Further settings of :func:`~mmwsis.ops.component_instances`.

    Returns:
        The instances. Without a centre a score may be negative: clamp it to [0, 1]
        where it is more than a rank.

    Raises:
        ValueError: Wrong shapes or settings, or maps that are not finite.

    Example:
        >>> foreground = torch.tensor([[[0.8, 0.8, 0.3, 0.9]]])
        >>> found = scored_instances(
        ...     torch.cat([1 - foreground, foreground]),
        ...     torch.tensor([[[0.5, 0.0, 0.0, 1.2]]]),
        ...     torch.zeros(2, 1, 4),
        ...     min_area=1,
        ... )
        >>> found.labels, found.scores
        (tensor([0, 0]), tensor([0.4000, 0.8100]))
    """
    check_shape('centers', centers, ('C', 'H', 'W'))
    expected = (len(centers) + 1, *centers.shape[1:])
    check_shape('probabilities', probabilities, expected, like=centers)
    check_shape('offsets', offsets, (2, *centers.shape[1:]), like=centers)
    check_finite('probabilities', probabilities, 'The network has diverged.')
    if semantic_map is None:
        semantic_map = _most_probable(probabilities)
    found = component_instances(
        semantic_map[None],
        centers[None],
        offsets[None],
        threshold=threshold,
        keep_centerless=keep_centerless,
        **settings,
    )
    row, column = found.ids[0].nonzero().T
    own = found.ids[0, row, column] - 1
    values = to_full_precision(probabilities)[found.labels[own] + 1, row, column]
    confidence = mean_of_groups(values, own, len(found.labels))
    peak = found.scores.where(found.scores < 1, confidence)
    numbers = torch.arange(1, len(confidence) + 1, device=confidence.device)
    masks = found.ids == numbers[:, None, None]
    return ScoredInstances(found.labels, peak * confidence, masks)


@torch.no_grad()
def point_instances(
    probabilities: Tensor, offsets: Tensor, points: Tensor, labels: Tensor
) -> PointInstances:
    """The pixels of each class, grouped to the points of the class: one per object.

    For pseudo labels of images whose objects are known by points: each pixel of the
    most probable class belongs to the point that its offset leads closest to (Eq. 1 of
    `BESTIE <https://arxiv.org/abs/2109.09477>`__), of equally near ones the first. The
    score is the mean probability of the class over the instance.

    Args:
        probabilities: (C + 1, H, W) of background and C classes, finite;
            :func:`keep_tagged` leaves those of known classes.
        offsets: (2, H, W) ``(dy, dx)`` in pixels, finite.
        points: (N, 2) ``(x, y)``, finite.
        labels: (N,) their 0-based classes.

    Returns:
        The instances in the order of their points; a point without pixels has none.

    Raises:
        TypeError: Labels of fractions.
        ValueError: Wrong shapes, a label that is no class, or numbers that are not
            finite.

    Example:
        >>> foreground = torch.tensor([[[0.8, 0.7, 0.3, 0.9]]])
        >>> objects, found = point_instances(
        ...     torch.cat([1 - foreground, foreground]),
        ...     torch.zeros(2, 1, 4),
        ...     torch.tensor([[3, 0], [0, 0]]),
        ...     torch.tensor([0, 0]),
        ... )
        >>> found.masks.int().tolist(), found.scores, objects
        ([[[0, 0, 0, 1]], [[1, 1, 0, 0]]], tensor([0.9000, 0.7500]), tensor([0, 1]))
    """
    check_shape('probabilities', probabilities, ('K', 'H', 'W'))
    size = probabilities.shape[1:]
    check_shape('offsets', offsets, (2, *size), like=probabilities)
    check_finite('probabilities', probabilities, 'The network has diverged.')
    check_finite('offsets', offsets, 'The network has diverged.')
    groups = group_to_points(
        _most_probable(probabilities)[None],
        offsets[None],
        [points],
        [labels],
        len(probabilities) - 1,
    )
    _, row, column = groups.pixels
    occurs, own = groups.owners.unique(return_inverse=True)
    labels = groups.labels[occurs]
    values = to_full_precision(probabilities)[labels[own] + 1, row, column]
    masks = torch.zeros(len(occurs), *size, dtype=torch.bool, device=row.device)
    masks[own, row, column] = True
    scores = mean_of_groups(values, own, len(occurs))
    return PointInstances(occurs, ScoredInstances(labels, scores, masks))


def average_flipped(maps: Tensor) -> Tensor:
    """Mean of the maps of an image and of its mirror image, mirrored back.

    For probabilities and centre maps. Offsets are taken of the image alone.

    Args:
        maps: (2, K, H, W): of the image, and of the horizontally mirrored image as the
            network gave them.

    Returns:
        (K, H, W), at least float32.

    Raises:
        ValueError: Another shape.

    Example:
        >>> average_flipped(torch.tensor([[[[0.0, 1.0]]], [[[1.0, 0.0]]]]))
        tensor([[[0., 1.]]])
    """
    check_shape('maps', maps, (2, 'K', 'H', 'W'))
    image, mirror = to_full_precision(maps)
    # In place: maps of many classes are large.
    return mirror.flip(-1).add_(image).div_(2)


def keep_tagged(probabilities: Tensor, tags: Tensor) -> Tensor:
    """Set the probability of every class that an image is known not to have to 0.

    Legitimate where the tags are: for pseudo labels of training images, never in a
    reported evaluation.

    Args:
        probabilities: (C + 1, ...) of background, which stays, and C classes.
        tags: (C,) bool, the classes in the image.

    Returns:
        The same shape.

    Raises:
        TypeError: Tags of fractions.
        ValueError: Wrong shapes.

    Example:
        >>> keep_tagged(torch.tensor([0.2, 0.5, 0.3]), torch.tensor([False, True]))
        tensor([0.2000, 0.0000, 0.3000])
    """
    check_tensor('probabilities', probabilities)
    check_shape('tags', tags, (len(probabilities) - 1,), like=probabilities)
    check_integers('tags', tags)
    kept = torch.cat([tags.new_ones(1), tags]).bool()
    return probabilities * kept.view(-1, *[1] * (probabilities.ndim - 1))


def _most_probable(probabilities: Tensor) -> Tensor:
    """(H, W) the class of each pixel, the first of equally probable ones."""
    # ``argmax`` gives the same, and takes five times as long on a CPU.
    return probabilities.max(0).indices
