"""Components of a batch of semantic maps, and the centres in each of them (BESTIE)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .center_maps import nearest_centers, round_regions
from .connected_components import connected_components
from .tensor_checks import to_full_precision
from .window_maximum import grouped_window_maximum


class BatchComponents(NamedTuple):
    """The N components of B images, and their M pixels in row-major order.

    Attributes:
        numbers: (B, H, W) int64, the component of each pixel from 1 on, 0 for none.
        images: (N,) int64.
        labels: (N,) int64, the 0-based class.
        centroids: (N, 2) int64 ``(x, y)``, fractions cut off.
        pixels: (3, M) int64 image, row and column.
        members: (M,) int64, the component of each pixel from 0 on.
        offsets: (2, M) ``(dy, dx)``.
        center_values: (B, H, W), of the component's class; 0 outside.
    """

    numbers: Tensor
    images: Tensor
    labels: Tensor
    centroids: Tensor
    pixels: Tensor
    members: Tensor
    offsets: Tensor
    center_values: Tensor


class Centers(NamedTuple):
    """K centres: (K,) the components, in their order, and (K, 2) points ``(x, y)``."""

    components: Tensor
    points: Tensor


def batch_components(
    semantic_map: Tensor,
    centers: Tensor,
    offsets: Tensor,
    tags: Tensor | None,
    min_area: int,
) -> BatchComponents:
    """Find the components of a batch of checked maps, and what lies on their pixels.

    Components of fewer than ``min_area`` pixels, and of classes without a tag, are no
    components. Of all images this takes one way to the CPU and back.
    """
    height = semantic_map.shape[1]
    found = connected_components(
        _stacked(tagged_classes(semantic_map, centers.shape[1], tags)),
        order='raster',
        min_area=min_area,
    )
    numbers = _unstacked(found.labels.long(), height)
    images = found.boxes[:, 1] // (height + 1)
    labels = found.classes - 1
    pixels = numbers.nonzero().T
    image, row, column = pixels
    members = numbers[image, row, column] - 1
    values = to_full_precision(centers[image, labels[members], row, column])
    center_values = values.new_zeros(numbers.shape)
    center_values[image, row, column] = values
    return BatchComponents(
        numbers,
        images,
        labels,
        _in_image(found.centroids.long(), images, height),
        pixels,
        members,
        to_full_precision(offsets[image, :, row, column]).T,
        center_values,
    )


def tagged_classes(
    semantic_map: Tensor, num_classes: int, tags: Tensor | None
) -> Tensor:
    """Return a (B, H, W) map with 0 at all but the (B, C) tagged of C classes."""
    semantic_map = semantic_map.long()
    semantic_map = semantic_map.where(
        (semantic_map > 0) & (semantic_map <= num_classes), 0
    )
    if tags is None:
        return semantic_map
    with_background = F.pad(tags.bool(), (1, 0))
    tagged = with_background.gather(1, semantic_map.flatten(1)).view_as(semantic_map)
    return semantic_map.where(tagged, 0)


def _stacked(maps: Tensor) -> Tensor:
    """All (B, H, W) maps below each other, with a row of 0 between two."""
    return F.pad(maps.int(), (0, 0, 0, 1)).flatten(0, 1)


def _unstacked(stacked: Tensor, height: int) -> Tensor:
    return stacked.view(-1, height + 1, stacked.shape[1])[:, :height]


def _in_image(points: Tensor, images: Tensor, height: int) -> Tensor:
    """``(x, y)`` in the stacked maps as points of the images."""
    return torch.stack([points[:, 0], points[:, 1] - images * (height + 1)], dim=1)


def peak_centers(parts: BatchComponents, threshold: float, kernel_size: int) -> Centers:
    """Pixels above the threshold that none of their component's in the window exceeds.

    In row-major order within a component.
    """
    image, row, column = parts.pixels
    values = parts.center_values[image, row, column]
    strong = (values > threshold).nonzero()[:, 0]
    values, members = values[strong], parts.members[strong]
    row, column = row[strong], column[strong]
    largest = grouped_window_maximum(values, members, row, column, kernel_size)
    is_peak = values == largest
    found = Centers(members[is_peak], torch.stack([column, row], dim=1)[is_peak])
    return join_centers([found])


def clustered_centers(
    parts: BatchComponents, radius: float, beta: float, min_value: float
) -> Centers:
    """Middles of the round regions of short offsets in each component.

    A middle outside the component, or with too low a centre value, is none.
    """
    dy, dx = parts.offsets
    short = (dy * dy + dx * dx).sqrt() < radius
    near = torch.zeros_like(parts.numbers)
    near[tuple(parts.pixels)] = (parts.members + 1) * short
    found = round_regions(_stacked(near), radius, beta)
    components, points = found.values - 1, found.points
    images = parts.images[components]
    points = _in_image(points, images, near.shape[1])
    column, row = points.T
    inside = parts.numbers[images, row, column] == components + 1
    kept = inside & (parts.center_values[images, row, column] > min_value)
    return Centers(components[kept], points[kept])


def far_centers(
    peaks: Centers, clustered: Centers, distance: float, num: int
) -> Centers:
    """Keep the clustered centres of components without peaks or far from each."""
    if not len(peaks.points):
        return clustered
    counts = peaks.components.bincount(minlength=num)
    nearest = nearest_centers(
        clustered.points.double(), clustered.components, peaks.points, counts
    )
    squared = ((clustered.points - peaks.points[nearest]) ** 2).sum(1)
    kept = (nearest < 0) | (squared.double() > distance**2)
    return Centers(clustered.components[kept], clustered.points[kept])


def centroids_of_the_others(parts: BatchComponents, centers: Centers) -> Centers:
    """One centre for each component that has none."""
    counts = centers.components.bincount(minlength=len(parts.labels))
    without = (counts == 0).nonzero()[:, 0]
    return Centers(without, parts.centroids[without])


def join_centers(centers: list[Centers]) -> Centers:
    """Sort by component; in each of them the first list's centres come first."""
    components, points = (torch.cat(entries) for entries in zip(*centers))
    order = components.argsort(stable=True)
    return Centers(components[order], points[order])
