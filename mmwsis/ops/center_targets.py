"""Targets of a centre and offset network, from a semantic map and points (BESTIE)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .center_maps import draw_centers
from .connected_components import Components, connected_components
from .tensor_checks import (
    as_integer,
    as_label_map,
    check_integers,
    check_shape,
    check_within,
)

IGNORE = 255


class CenterTargets(NamedTuple):
    """What the centre and the offset head learn; a batch has one more dimension.

    Attributes:
        centers: (C, H, W) float32, a Gaussian at each centre in the map of its class.
        offsets: (2, H, W) float32 ``(dy, dx)`` in pixels, from a pixel to the centre of
            its instance; 0 outside all instances.
        weights: (1, H, W) float32, 0 outside all instances.
    """

    centers: Tensor
    offsets: Tensor
    weights: Tensor


def center_targets(
    semantic_map: Tensor,
    points: Tensor,
    labels: Tensor,
    tags: Tensor,
    sigma: float = 6.0,
    min_area: int = 50,
    centers_from: str = 'components',
    tagged_only: bool = False,
) -> CenterTargets:
    """Take components with exactly one point of their class for instances.

    Pseudo labels of `BESTIE <https://arxiv.org/abs/2109.09477>`__ (section 3.3). An
    8-connected component of the semantic map is an instance if exactly one point of its
    class lies on its pixels. Its pixels get weight 1 and the offset to the component's
    centroid, fractions cut off, which may lie outside a concave one; a Gaussian is
    drawn there.

    Args:
        semantic_map: (H, W) integers: 0 background, ``c + 1`` class c, 255 ignore.
        points: (N, 2) integers ``(x, y)``, cues or clicks. One outside the map counts
            nowhere; two on one pixel are two.
        labels: (N,) their 0-based classes.
        tags: (C,) bool, the classes in the image; regions of others are no instances,
            and points of others draw no centre.
        sigma: Standard deviation of the Gaussians in pixels. Defaults to 6.0.
        min_area: Components with fewer pixels are no instances. Defaults to 50.
        centers_from: 'components': Gaussians at the centroids of the instances.
            'points': at all points of the tagged classes (the paper's point setting).
            Defaults to 'components'.
        tagged_only: Make the centre maps of the tagged classes alone, in increasing
            order. Defaults to False.

    Returns:
        The targets, on the device of ``semantic_map``; all 0 if there is no instance.

    Raises:
        TypeError: A map, points, labels or tags of fractions.
        ValueError: Wrong shapes or settings, a label that is no class, or a map with
            values that are no class.

    Example:
        >>> semantic_map = torch.zeros(20, 20, dtype=torch.int64)
        >>> semantic_map[2:12, 2:12] = 1  # rows and columns 2 to 11
        >>> points, labels = torch.tensor([[5, 5]]), torch.tensor([0])
        >>> tags = torch.tensor([True])
        >>> found = center_targets(semantic_map, points, labels, tags)
        >>> found.weights.sum(), found.offsets[:, 2, 11], found.centers[0, 6, 6]
        (tensor(100.), tensor([ 4., -5.]), tensor(1.))
        >>> points, labels = torch.tensor([[5, 5], [8, 8]]), torch.tensor([0, 0])
        >>> center_targets(semantic_map, points, labels, tags).weights.sum()
        tensor(0.)
    """
    _check(semantic_map, points, labels, tags)
    min_area = as_integer('min_area', min_area, 0)
    if centers_from not in ('components', 'points'):
        raise ValueError(
            f"centers_from: expected 'components' or 'points', got {centers_from!r}."
        )
    tags, labels = tags.bool(), labels.long()
    values = (tags.nonzero()[:, 0] + 1).tolist()
    found = connected_components(semantic_map, classes=values, min_area=min_area)
    accepted = _points_on_components(found, semantic_map, points, labels) == 1
    centroids = found.centroids.long()
    if centers_from == 'points':
        tagged = tags[labels]
        centers, classes = points[tagged], labels[tagged]
    else:
        centers, classes = centroids[accepted], found.classes[accepted] - 1
    num_maps = len(tags)
    if tagged_only:
        num_maps, classes = len(values), (tags.cumsum(0) - 1)[classes]
    # Without a tagged class one empty map is made, and not taken.
    maps = draw_centers(
        centers, classes, max(1, num_maps), tuple(semantic_map.shape), sigma
    )[:num_maps]
    return CenterTargets(maps, *_offsets_and_weights(found.labels, centroids, accepted))


def _check(semantic_map: Tensor, points: Tensor, labels: Tensor, tags: Tensor) -> None:
    check_shape('semantic_map', semantic_map, ('H', 'W'))
    check_shape('points', points, ('N', 2), like=semantic_map)
    check_shape('labels', labels, (len(points),), like=semantic_map)
    check_shape('tags', tags, ('C',), like=semantic_map)
    for name, tensor in (
        ('semantic_map', semantic_map),
        ('points', points),
        ('labels', labels),
        ('tags', tags),
    ):
        check_integers(name, tensor)
    if len(tags) >= IGNORE:
        raise ValueError(
            f'tags: expected fewer than {IGNORE} classes, got {len(tags)}; '
            f'{IGNORE} in the map means ignore.'
        )
    check_within('labels', labels, 0, len(tags) - 1)
    # On the CPU, where the components are found too.
    values = as_label_map('semantic_map', semantic_map)
    unknown = ((values < 0) | (values > len(tags))) & (values != IGNORE)
    if unknown.any():
        raise ValueError(
            f'semantic_map: expected 0 to {len(tags)} or {IGNORE}, got '
            f'{np.unique(values[unknown]).tolist()}; maps of another class table?'
        )


def _points_on_components(
    found: Components, semantic_map: Tensor, points: Tensor, labels: Tensor
) -> Tensor:
    """Number of points of its class on each of K components, (K,)."""
    height, width = semantic_map.shape
    x, y = points.long().T
    # A negative index would count from the other side.
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y, labels = x[inside], y[inside], labels[inside]
    hits = found.labels[y, x][semantic_map[y, x].long() == labels + 1]
    return hits.bincount(minlength=len(found.areas) + 1)[1:]


def _offsets_and_weights(
    numbers: Tensor, centroids: Tensor, accepted: Tensor
) -> tuple[Tensor, Tensor]:
    """Offsets (2, H, W) to the centroids of accepted components, and their pixels."""
    # Of each component y, x and 1, or zeros if it is not accepted; number 0 is none.
    table = F.pad(centroids.flip(1), (0, 1), value=1) * accepted[:, None]
    table = F.pad(table.float().T, (1, 0))
    y, x, weights = table.index_select(1, numbers.flatten().long()).view(
        3, *numbers.shape
    )
    rows, columns = (
        torch.arange(side, dtype=y.dtype, device=y.device) for side in y.shape
    )
    offsets = torch.stack([y - rows[:, None] * weights, x - columns * weights])
    return offsets, weights[None]
