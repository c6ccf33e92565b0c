"""Instances in the components of semantic maps from centres and offsets (BESTIE)."""

from typing import NamedTuple

import torch
from torch import Tensor

from .center_maps import nearest_centers
from .component_centers import (
    BatchComponents,
    Centers,
    batch_components,
    centroids_of_the_others,
    clustered_centers,
    far_centers,
    join_centers,
    peak_centers,
)
from .grouped_values import first_of_largest
from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_integers,
    check_shape,
)
from .window_maximum import as_kernel_size


class ComponentInstances(NamedTuple):
    """The K instances of B images, by component, in it by centre.

    Attributes:
        ids: (B, H, W) int64, the instance of each pixel, 1 to K over all images; 0 for
            none.
        images: (K,) int64, the image of each instance.
        labels: (K,) int64, its 0-based class.
        components: (K,) int64, the component it is a part of, from 0 on over all
            images, in row-major order of their first pixels.
        ranks: (K,) int64, the number of its centre among those of the component, from 1
            on: the detected ones in row-major order, then the clustered ones. Centres
            that got no pixel are counted.
        areas: (K,) int64, in pixels.
        scores: (K,) the largest centre value of its pixels, a clustered centre's is 1.
        points: (K, 2) int64 ``(x, y)``, the first pixel with it in row-major order.
        centroids: (K, 2) int64 ``(x, y)``, that of its component, fractions cut off.
        center_values: (B, H, W) the values that ``scores`` are taken of: at each pixel
            of a component the centre map of its class; 0 elsewhere.
    """

    ids: Tensor
    images: Tensor
    labels: Tensor
    components: Tensor
    ranks: Tensor
    areas: Tensor
    scores: Tensor
    points: Tensor
    centroids: Tensor
    center_values: Tensor


@torch.no_grad()
def component_instances(
    semantic_map: Tensor,
    centers: Tensor,
    offsets: Tensor,
    tags: Tensor | None = None,
    threshold: float = 0.3,
    kernel_size: int = 41,
    beta: float = 3.0,
    min_area: int = 50,
    keep_centerless: bool = False,
    cluster_radius: float = 2.5,
    cluster_min_value: float = 0.05,
    cluster_min_distance: float = 100.0,
) -> ComponentInstances:
    r"""Part each connected component of a class into the instances around its centres.

    Section 3.2 of `BESTIE <https://arxiv.org/abs/2109.09477>`__. In each
    8-connected component of at least ``min_area`` pixels:

    1. Its centres are the pixels with a centre value above ``threshold`` that none in
       the square window around them exceeds. Only pixels of the component count.
    2. "Center clustering": further centres are the regions of short offsets
       (:func:`~mmwsis.ops.cluster_centers`) whose middle lies in the component and has
       a centre value above ``cluster_min_value``: all of them if there is no centre
       yet, else those farther than ``cluster_min_distance`` from every one detected.
       Their own value becomes 1.
    3. Each pixel belongs to the centre that its offset leads closest to (Eq. 1), of
       equally near ones the first.

    All images, classes and components are computed at once, and only at their pixels:
    neither the operations nor the waits for a GPU grow in number with the components.

    Args:
        semantic_map: (B, H, W) integers: 0 is background, ``c + 1`` class ``c``; others
            belong to nothing.
        centers: (B, C, H, W) centre maps of the C classes, finite.
        offsets: (B, 2, H, W) ``(dy, dx)`` in pixels from each pixel to its centre,
            finite.
        tags: (B, C) bool, the classes to look at. Defaults to None: all.
        threshold: Bound of a centre's value, exclusive. Defaults to 0.3.
        kernel_size: Side of the window in pixels, odd. Defaults to 41.
        beta: By how many pixels a cluster may differ from a disc of
            ``cluster_radius``, exclusive; 0 finds none. Defaults to 3.0.
        min_area: Components with fewer pixels have no instances. Defaults to 50.
        keep_centerless: Take a component without any centre as one instance. Defaults
            to False: as none.
        cluster_radius: Bound of a short offset, exclusive, in pixels. Defaults to 2.5.
        cluster_min_value: Bound of the centre value at a clustered centre, exclusive.
            Defaults to 0.05.
        cluster_min_distance: Bound of its distance to the detected centres, exclusive,
            in pixels. Defaults to 100.0.

    Returns:
        The instances; every one has pixels.

    Raises:
        TypeError: Maps or tags of fractions.
        ValueError: Wrong shapes or settings, or centres or offsets that are not finite.

    Example:
        >>> semantic_map = torch.tensor([[[1, 1, 1, 1, 1, 0, 2]]])
        >>> centers = torch.tensor([[0.9, 0.5, 0.2, 0.4, 0.8, 0, 0.1], [0.0] * 7])
        >>> found = component_instances(
        ...     semantic_map,
        ...     centers.view(1, 2, 1, 7),
        ...     torch.zeros(1, 2, 1, 7),
        ...     kernel_size=3,
        ...     min_area=1,
        ...     keep_centerless=True,
        ... )
        >>> found.ids, found.labels
        (tensor([[[1, 1, 1, 2, 2, 0, 3]]]), tensor([0, 0, 1]))
        >>> found.scores
        tensor([0.9000, 0.8000, 0.0000])
    """
    check_maps(semantic_map, centers, offsets, tags)
    threshold = as_number('threshold', threshold, '[0, inf)')
    kernel_size = as_kernel_size(kernel_size)
    beta = as_number('beta', beta, '[0, inf)')
    radius = as_number('cluster_radius', cluster_radius, '[0, inf)')
    least = as_number('cluster_min_value', cluster_min_value)
    distance = as_number('cluster_min_distance', cluster_min_distance, '[0, inf)')
    min_area = as_integer('min_area', min_area, 1)
    parts = batch_components(semantic_map, centers, offsets, tags, min_area)
    peaks = peak_centers(parts, threshold, kernel_size)
    clustered = clustered_centers(parts, radius, beta, least)
    clustered = far_centers(peaks, clustered, distance, len(parts.labels))
    columns, rows = clustered.points.T
    parts.center_values[parts.images[clustered.components], rows, columns] = 1
    found = join_centers([peaks, clustered])
    if keep_centerless:
        found = join_centers([found, centroids_of_the_others(parts, found)])
    return _instances(parts, found)


def check_maps(
    semantic_map: Tensor, centers: Tensor, offsets: Tensor, tags: Tensor | None
) -> None:
    """Refuse maps of a batch that do not belong together, or a diverged network's."""
    check_shape('semantic_map', semantic_map, ('B', 'H', 'W'))
    check_integers('semantic_map', semantic_map)
    batch, *size = semantic_map.shape
    check_shape('centers', centers, (batch, 'C', *size), like=semantic_map)
    check_shape('offsets', offsets, (batch, 2, *size), like=semantic_map)
    if tags is not None:
        check_shape('tags', tags, (batch, centers.shape[1]), like=semantic_map)
        check_integers('tags', tags)
    check_finite('centers', centers, 'The network has diverged.')
    check_finite('offsets', offsets, 'The network has diverged.')


def _instances(parts: BatchComponents, centers: Centers) -> ComponentInstances:
    dy, dx = parts.offsets
    _, row, column = parts.pixels
    counts = centers.components.bincount(minlength=len(parts.labels))
    owners = nearest_centers(
        torch.stack([column + dx, row + dy], dim=1),
        parts.members,
        centers.points,
        counts,
    )
    owned = (owners >= 0).nonzero()[:, 0]
    owners, pixels = owners[owned], parts.pixels[:, owned]
    areas = owners.bincount(minlength=len(centers.points))
    kept = areas.nonzero()[:, 0]
    numbers = torch.zeros_like(areas)
    numbers[kept] = torch.arange(1, len(kept) + 1, device=kept.device)
    ids = torch.zeros_like(parts.numbers)
    ids[tuple(pixels)] = numbers[owners]
    values = parts.center_values[tuple(pixels)]
    scores, first = first_of_largest(values, numbers[owners] - 1, len(kept))
    components = centers.components[kept]
    return ComponentInstances(
        ids,
        parts.images[components],
        parts.labels[components],
        components,
        kept - (counts.cumsum(0) - counts)[components] + 1,
        areas[kept],
        scores,
        pixels[1:, first].flip(0).T,
        parts.centroids[components],
        parts.center_values,
    )
