"""Targets of centre and offset heads from the network's own instances (BESTIE)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .center_maps import draw_centers
from .center_targets import CenterTargets
from .component_centers import tagged_classes
from .component_instances import component_instances
from .grouped_values import mean_of_groups
from .point_groups import group_to_points
from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_integers,
    check_shape,
    to_full_precision,
)


@torch.no_grad()
def refined_targets(
    semantic_map: Tensor,
    seg_logits: Tensor,
    centers: Tensor,
    offsets: Tensor,
    tags: Tensor | None = None,
    threshold: float = 0.3,
    max_instances: int = 5,
    sigma: float = 6.0,
    **settings: Any,
) -> CenterTargets:
    r"""Self-refinement: what the network found itself as the targets of its heads.

    Section 3.5 of `BESTIE <https://arxiv.org/abs/2109.09477>`__. An instance
    :math:`g` of class :math:`c` in a component of the semantic map
    (:func:`~mmwsis.ops.component_instances`) has a mean probability :math:`s` of its
    class and a largest centre value :math:`v` at :math:`p`. Its weight (Eq. 2) is

    .. math::
        w = \begin{cases} v s & v \ge \text{threshold} \\ s & \text{else}\end{cases}

    within [0, 1], and its centre :math:`p`, or else the centroid of the component.
    Components that fall into too many instances are left out. Nothing has a gradient.

    Args:
        semantic_map: (B, H, W) integers: 0 is background, ``c + 1`` class ``c``; others
            are ignored.
        seg_logits: (B, C + 1, H, W) of background and C classes, finite.
        centers: (B, C, H, W) centre maps, finite.
        offsets: (B, 2, H, W) ``(dy, dx)`` in pixels, finite.
        tags: (B, C) bool, the classes in each image. Defaults to None: all.
        threshold: Bound of a centre's value. Defaults to 0.3.
        max_instances: Most instances of a component, by the number of the last centre
            that has pixels. Defaults to 5.
        sigma: Standard deviation of the drawn centres in pixels. Defaults to 6.0.
        **settings: Further settings of :func:`~mmwsis.ops.component_instances`.

    Returns:
        Targets of the batch, (B, C, H, W), (B, 2, H, W) and (B, 1, H, W), float32; 0
        where there is no instance.

    Raises:
        TypeError: Maps or tags of fractions.
        ValueError: Wrong shapes or settings, or outputs that are not finite.

    Example:
        >>> semantic_map = torch.tensor([[[1, 1, 1, 1, 0]]])
        >>> found = refined_targets(
        ...     semantic_map,
        ...     torch.zeros(1, 2, 1, 5),  # the class has probability 0.5
        ...     torch.tensor([[[[0.8, 0.0, 0.0, 0.6, 0.0]]]]),
        ...     torch.zeros(1, 2, 1, 5),
        ...     kernel_size=3,
        ...     min_area=4,
        ... )
        >>> found.weights[0, 0]
        tensor([[0.4000, 0.4000, 0.3000, 0.3000, 0.0000]])
        >>> found.offsets[0, 1]
        tensor([[ 0., -1.,  1.,  0.,  0.]])
    """
    threshold = as_number('threshold', threshold, '[0, inf)')
    max_instances = as_integer('max_instances', max_instances, 1)
    found = component_instances(
        semantic_map, centers, offsets, tags, threshold, **settings
    )
    batch, num_classes, *size = centers.shape
    expected = (batch, num_classes + 1, *size)
    check_shape('seg_logits', seg_logits, expected, like=centers)
    check_finite('seg_logits', seg_logits, 'The network has diverged.')
    pixels = found.ids.nonzero().T
    own = found.ids[tuple(pixels)] - 1
    confidence = _confidence(seg_logits, found.labels, pixels, own)
    strong = found.scores >= threshold
    points = found.points.where(strong[:, None], found.centroids)
    weight = (confidence * found.scores.where(strong, 1)).clamp(0, 1)
    # Instances come by component and centre: the last one of each has the last centre.
    last = torch.searchsorted(found.components, found.components, right=True) - 1
    kept = found.ranks[last] <= max_instances
    drawn = draw_centers(
        points[kept],
        (found.images * num_classes + found.labels)[kept],
        max(1, batch * num_classes),
        size,
        sigma,
    )
    return CenterTargets(
        drawn[: batch * num_classes].view(centers.shape),
        *_painted(
            found.ids.shape, pixels, points[own], (weight * kept)[own], kept[own]
        ),
    )


@torch.no_grad()
def point_targets(
    semantic_map: Tensor,
    offsets: Tensor,
    points: Sequence[Tensor],
    labels: Sequence[Tensor],
    tags: Tensor,
) -> tuple[Tensor, Tensor]:
    """Self-refinement with one point per object: the offsets to the points themselves.

    Each pixel of a class in the semantic map belongs to the point of its class that the
    network's offset leads closest to (Eq. 1 of `BESTIE
    <https://arxiv.org/abs/2109.09477>`__), of equally near ones the first, however
    large its component and whether a point lies on it. The centre maps of this setting
    are not refined: :func:`~mmwsis.ops.center_targets` draws all points.

    Args:
        semantic_map: (B, H, W) integers: 0 is background, ``c + 1`` class ``c``; others
            are ignored.
        offsets: (B, 2, H, W) ``(dy, dx)`` of the network in pixels, finite.
        points: B tensors (N, 2) of ``(x, y)``.
        labels: B tensors (N,), their 0-based classes.
        tags: (B, C) bool, the classes in each image; others are left out.

    Returns:
        ``(offsets, weights)``, (B, 2, H, W) and (B, 1, H, W), float32: from a pixel to
        its point, and 1; 0 at pixels of other classes and of those without a point.

    Raises:
        TypeError: A map, labels or tags of fractions.
        ValueError: Wrong shapes, a label that is no class, or offsets or points that
            are not finite.

    Example:
        >>> semantic_map = torch.tensor([[[1, 1, 1, 1, 2]]])
        >>> points, labels = torch.tensor([[0, 0], [3, 0]]), torch.tensor([0, 0])
        >>> offsets, weights = point_targets(
        ...     semantic_map,
        ...     torch.zeros(1, 2, 1, 5),
        ...     [points],
        ...     [labels],
        ...     torch.tensor([[True, True]]),
        ... )
        >>> offsets[0, 1], weights[0, 0]
        (tensor([[ 0., -1.,  1.,  0.,  0.]]), tensor([[1., 1., 1., 1., 0.]]))
    """
    check_shape('semantic_map', semantic_map, ('B', 'H', 'W'))
    check_integers('semantic_map', semantic_map)
    batch, *size = semantic_map.shape
    check_shape('offsets', offsets, (batch, 2, *size), like=semantic_map)
    check_finite('offsets', offsets, 'The network has diverged.')
    check_shape('tags', tags, (batch, 'C'), like=semantic_map)
    check_integers('tags', tags)
    num_classes = tags.shape[1]
    classes = tagged_classes(semantic_map, num_classes, tags)
    groups = group_to_points(classes, offsets, points, labels, num_classes)
    inside = torch.ones_like(groups.owners, dtype=torch.bool)
    return _painted(
        semantic_map.shape,
        groups.pixels,
        groups.points[groups.owners],
        inside,
        inside,
    )


def _confidence(
    seg_logits: Tensor, labels: Tensor, pixels: Tensor, own: Tensor
) -> Tensor:
    """Mean probability (K,) of its class over each instance, from its pixels alone."""
    image, row, column = pixels
    logits = to_full_precision(seg_logits[image, :, row, column])
    probabilities = logits.softmax(1).gather(1, labels[own, None] + 1)[:, 0]
    return mean_of_groups(probabilities, own, len(labels))


def _painted(
    shape: tuple[int, ...],
    pixels: Tensor,
    points: Tensor,
    weights: Tensor,
    kept: Tensor,
) -> tuple[Tensor, Tensor]:
    """Maps of the offsets of (3, M) pixels to their points, and of their weights."""
    image, row, column = pixels
    batch, *size = shape
    x, y = points.T
    offset_maps = points.new_zeros(batch, 2, *size, dtype=torch.float32)
    offset_maps[image, 0, row, column] = ((y - row) * kept).float()
    offset_maps[image, 1, row, column] = ((x - column) * kept).float()
    weight_maps = offset_maps.new_zeros(batch, 1, *size)
    weight_maps[image, 0, row, column] = weights.float()
    return offset_maps, weight_maps
