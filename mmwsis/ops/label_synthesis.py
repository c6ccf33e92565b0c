"""Instance and semantic pseudo labels from IRNet's maps (CVPR 2019, section 5)."""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from .affinity_walk import affinity_walk
from .centroids import InstanceMap, centroid_instance_map
from .connected_components import label_components
from .stride4_grid import STRIDE, stride4_size
from .tensor_checks import check_shape, full_precision, to_full_precision

# More than interpolation and division can round a number up by.
ROUNDING = 1e-5


class SynthesizedInstances(NamedTuple):
    """Pseudo instances of an image, on the CPU.

    Attributes:
        scores: (M,) float32 in [0, 1]; 0 for fragments.
        masks: (M, H, W) bool.
        labels: (M,) int64, the 0-based class of each.
        instances: Instance map of the grid, or None where there was no class.
    """

    scores: Tensor
    masks: Tensor
    labels: Tensor
    instances: InstanceMap | None


class BestChannels(NamedTuple):
    """The strongest channel at each pixel of the image.

    Attributes:
        index: (H, W) int64, 0 for the background and 1 + channel elsewhere.
        score: (H, W) strength relative to the maximum of all channels, at least the
            threshold.
    """

    index: Tensor
    score: Tensor


def synthesize_instances(
    cams: Tensor,
    labels: Tensor,
    edge: Tensor,
    displacement: Tensor,
    image_size: tuple[int, int],
    threshold: float = 0.25,
    min_area: float = 0.01,
    radius: int = 5,
    beta: float = 10.0,
    num_steps: int = 256,
    num_updates: int = 300,
    weak_threshold: float = 2.5,
) -> SynthesizedInstances:
    """Spread each class map within each instance, and take the strongest a pixel.

    Args:
        cams: (K, h, w) class activation maps at stride 4, of classes in the image.
        labels: (K,) their 0-based classes.
        edge: (1, h, w) boundary probability in [0, 1].
        displacement: (2, h, w) ``(dy, dx)`` in pixels of the grid.
        image_size: (H, W) of the image in pixels.
        threshold: Strength of the background, of the maximum over all channels.
        min_area: Connected parts below this share of the image get the score 0.
        radius: Radius of the links of :func:`mmwsis.ops.affinity_walk`.
        beta: Power of the affinity.
        num_steps: Steps of the walk.
        num_updates: Updates of :func:`mmwsis.ops.refine_centroids`.
        weak_threshold: Bound of :func:`mmwsis.ops.centroid_instance_map`.

    Returns:
        One entry for each 4-connected part, by class, instance and raster order. None
        without classes or where nothing is left after the walk.

    Raises:
        ValueError: Wrong shapes; maps that do not have the grid of the image.
    """
    _check_maps(cams, labels, edge, image_size)
    check_shape('displacement', displacement, (2, *edge.shape[1:]))
    if not len(cams):
        nothing = BestChannels(
            torch.zeros(image_size, dtype=torch.int64), torch.zeros(image_size)
        )
        return split_components(nothing, labels, None, min_area)
    instances = centroid_instance_map(displacement, num_updates, weak_threshold)
    channels = instance_channels(cams, instances)
    walked = affinity_walk(channels, edge, radius, beta, num_steps)
    best = best_channels(walked, image_size, threshold)
    return split_components(best, labels, instances, min_area)


def synthesize_semantics(
    cams: Tensor,
    labels: Tensor,
    edge: Tensor,
    image_size: tuple[int, int],
    threshold: float = 0.25,
    radius: int = 5,
    beta: float = 10.0,
    num_steps: int = 256,
) -> Tensor:
    """Spread each class map along affinities and take the strongest class a pixel.

    Args:
        cams: (K, h, w) class activation maps at stride 4, of classes in the image.
        labels: (K,) their 0-based classes, below 254.
        edge: (1, h, w) boundary probability in [0, 1].
        image_size: (H, W) of the image in pixels.
        threshold: Strength of the background, of the maximum over all classes.
        radius: Radius of the links of :func:`mmwsis.ops.affinity_walk`.
        beta: Power of the affinity.
        num_steps: Steps of the walk.

    Returns:
        (H, W) uint8 on the CPU: 0 background, k + 1 class k.

    Raises:
        ValueError: Wrong shapes; maps that do not have the grid of the image; a class
            that does not fit the map.
    """
    _check_maps(cams, labels, edge, image_size)
    if not len(cams):
        return torch.zeros(image_size, dtype=torch.uint8)
    if labels.min() < 0 or labels.max() >= 254:
        raise ValueError(
            'labels: expected classes from 0 to 253, which fit an 8-bit map with 255 '
            f'as unsure, got {labels.tolist()}.'
        )
    walked = affinity_walk(cams, edge, radius, beta, num_steps)
    best = best_channels(walked, image_size, threshold)
    values = F.pad(labels.cpu() + 1, (1, 0)).to(torch.uint8)
    return values[best.index.cpu()]


def _check_maps(
    cams: Tensor, labels: Tensor, edge: Tensor, image_size: tuple[int, int]
) -> None:
    check_shape('cams', cams, ('K', 'h', 'w'))
    check_shape('labels', labels, (len(cams),))
    grid = stride4_size(image_size)
    if tuple(cams.shape[1:]) != grid:
        raise ValueError(
            f'cams: an image of {tuple(image_size)} pixels has maps of {grid}, got '
            f'{tuple(cams.shape[1:])}. Were they made from another image or size?'
        )
    check_shape('edge', edge, (1, *grid))


def instance_channels(cams: Tensor, instances: InstanceMap) -> Tensor:
    """Cut each class map into one channel an instance.

    Args:
        cams: (K, h, w) class activation maps.
        instances: The n instances of the grid.

    Returns:
        (K * n, h, w): channel ``k * n + i`` is class k within instance i.
    """
    numbers = torch.arange(instances.count, device=instances.ids.device)
    masks = instances.ids == numbers[:, None, None]
    return (cams[:, None] * masks).flatten(0, 1)


def best_channels(
    maps: Tensor, image_size: tuple[int, int], threshold: float = 0.25
) -> BestChannels:
    """Upsample maps to the image and find the strongest above the background.

    Args:
        maps: (C, h, w) maps at stride 4, at least 0.
        image_size: (H, W) of the image in pixels.
        threshold: Strength of the background, of the maximum over all channels; a
            pixel that just reaches it is background.

    Returns:
        Background everywhere if the maps are zero. Of equal channels the first wins.
    """
    with torch.no_grad(), full_precision(maps):
        maps = to_full_precision(maps)
        index = torch.zeros(image_size, dtype=torch.int64, device=maps.device)
        best = maps.new_full(image_size, threshold)
        candidates, maximum = _upsample_candidates(maps, image_size, threshold)
        for channel in sorted(candidates) if maximum > 0 else ():
            score = candidates.pop(channel).div_(maximum)
            index.masked_fill_(score > best, channel + 1)
            torch.maximum(best, score, out=best)
        return BestChannels(index, best)


def _upsample_candidates(
    maps: Tensor, image_size: tuple[int, int], threshold: float
) -> tuple[dict[int, Tensor], float]:
    """Upsample the channels that may exceed the background somewhere.

    Interpolation does not exceed what it interpolates, so the channels are taken by
    falling maximum until one is too weak.

    Returns:
        (H, W) maps by channel, and the maximum of all of them.
    """
    height, width = image_size
    peaks = maps.amax((1, 2)).tolist() if maps.numel() else []
    candidates, maximum = {}, 0.0
    for channel in sorted(range(len(peaks)), key=lambda index: -peaks[index]):
        if peaks[channel] * (1 + ROUNDING) < threshold * maximum:
            break
        upsampled = F.interpolate(
            maps[None, channel : channel + 1],
            scale_factor=STRIDE,
            mode='bilinear',
            align_corners=False,
        )[0, 0, :height, :width]
        candidates[channel] = upsampled.contiguous()
        maximum = max(maximum, upsampled.max().item())
    return candidates, maximum


def split_components(
    best: BestChannels,
    labels: Tensor,
    instances: InstanceMap | None,
    min_area: float,
) -> SynthesizedInstances:
    """Make one entry of each connected part of each channel's pixels.

    Args:
        best: The strongest channel at each pixel.
        labels: (K,) 0-based classes.
        instances: The n instances of the grid; channel ``k * n + i`` is class k within
            instance i. None: channel k is class k.
        min_area: Parts below this share of the image get the score 0.
    """
    index, score = best.index.cpu().numpy(), best.score.cpu().numpy()
    parts = np.zeros(index.shape, dtype=np.int32)
    channels = []
    for channel, box in enumerate(ndimage.find_objects(index)):
        if box is None:
            continue
        inside = index[box] == channel + 1
        numbers, count = label_components(inside)
        parts[box][inside] = numbers[inside] + len(channels)
        channels += [channel] * count
    areas = np.bincount(parts.ravel(), minlength=len(channels) + 1)[1:]
    scores = np.zeros(len(channels) + 1, dtype=score.dtype)
    np.maximum.at(scores, parts.ravel(), score.ravel())
    # The smallest integer of pixels that is no fragment.
    least = math.ceil(min_area * index.size - ROUNDING)
    scores = np.where(areas < least, 0, scores[1:])
    per_class = max(1, instances.count if instances else 1)
    positions = torch.tensor(channels, dtype=torch.int64) // per_class
    numbers = torch.arange(1, len(channels) + 1, dtype=torch.int32)
    return SynthesizedInstances(
        torch.from_numpy(scores).float(),
        torch.from_numpy(parts) == numbers[:, None, None],
        labels.cpu().long()[positions],
        instances,
    )
