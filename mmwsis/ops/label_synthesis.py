"""Instance and semantic pseudo labels from IRNet's maps (CVPR 2019, section 5.2)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .affinity_walk import affinity_walk
from .centroids import InstanceMap, centroid_instance_map
from .connected_components import connected_components
from .peaks import region_peaks
from .stride4_grid import STRIDE, stride4_size
from .tensor_checks import (
    as_integer,
    as_number,
    as_size,
    check_finite,
    check_integers,
    check_shape,
    check_within,
    full_precision,
    to_full_precision,
)

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
    """The strongest channel at each pixel.

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
    r"""Spread each CAM within each instance, and take the strongest at each pixel.

    Section 5 of `IRNet <https://arxiv.org/abs/1904.05044>`__: the class-agnostic
    instance map I (:func:`mmwsis.ops.centroid_instance_map`, Eq. 10) cuts each CAM into
    one channel per instance (:func:`instance_channels`, Eq. 11), a random walk spreads
    the channels (:func:`mmwsis.ops.affinity_walk`, Eq. 12 and 13), and each pixel goes
    to the strongest of them unless that is weaker than the background:

    .. math::
        (c, k)(x) = \arg\max_{c, k} M^*_{ck}(x) \quad\text{where}\quad
        M^*_{ck}(x) > 0.25 \max_{c', k', x'} M^*_{c'k'}(x').

    Args:
        cams: (K, h, w) CAMs at stride 4, of classes in the image.
        labels: (K,) their 0-based classes.
        edge: (1, h, w) boundary probability in [0, 1].
        displacement: (2, h, w) ``(dy, dx)`` in pixels of the grid.
        image_size: (H, W) of the image in pixels.
        threshold: Strength of the background, relative to the maximum over all
            channels. Defaults to 0.25.
        min_area: Connected components below this share of the image get the score 0.
            Defaults to 0.01.
        radius: Radius of the links of :func:`mmwsis.ops.affinity_walk`, in pixels of
            the grid. Defaults to 5.
        beta: Power of the affinity. Defaults to 10.0.
        num_steps: Steps of the walk. Defaults to 256.
        num_updates: Updates of :func:`mmwsis.ops.refine_centroids`. Defaults to 300.
        weak_threshold: Bound of :func:`mmwsis.ops.centroid_instance_map`. Defaults to
            2.5.

    Returns:
        One entry for each 4-connected component, by class, instance and raster order.
        None without classes or where nothing is left after the walk.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Wrong shapes or settings; maps that do not have the grid of the
            image or are not finite.

    Example:
        >>> cams = torch.zeros(1, 4, 8)
        >>> cams[0, 1:3, 1:3] = cams[0, 1:3, 5:7] = 1.0  # two objects of class 14
        >>> edge = torch.ones(1, 4, 8)
        >>> edge[0, :, 1:3] = edge[0, :, 5:7] = 0.0
        >>> displacement, labels = torch.zeros(2, 4, 8), torch.tensor([14])
        >>> found = synthesize_instances(cams, labels, edge, displacement, (16, 32))
        >>> found.scores, found.labels, found.masks.shape
        (tensor([1., 1.]), tensor([14, 14]), torch.Size([2, 16, 32]))
    """
    image_size = as_size('image_size', image_size)
    threshold = as_number('threshold', threshold, '[0, 1]')
    min_area = as_number('min_area', min_area, '[0, 1]')
    _check_maps(cams, labels, edge, image_size)
    check_shape('displacement', displacement, (2, *edge.shape[1:]), like=cams)
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
    """Spread each CAM along affinities and take the strongest class at each pixel.

    As :func:`synthesize_instances` with one instance that covers the image (Eq. 12 and
    13 of `IRNet <https://arxiv.org/abs/1904.05044>`__).

    Args:
        cams: (K, h, w) CAMs at stride 4, of classes in the image.
        labels: (K,) their 0-based classes, below 254.
        edge: (1, h, w) boundary probability in [0, 1].
        image_size: (H, W) of the image in pixels.
        threshold: Strength of the background, relative to the maximum over all
            classes. Defaults to 0.25.
        radius: Radius of the links of :func:`mmwsis.ops.affinity_walk`, in pixels of
            the grid. Defaults to 5.
        beta: Power of the affinity. Defaults to 10.0.
        num_steps: Steps of the walk. Defaults to 256.

    Returns:
        (H, W) uint8 on the CPU: 0 background, k + 1 class k.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Wrong shapes or settings; maps that do not have the grid of the
            image or are not finite; a class that does not fit the map.

    Example:
        >>> cams = torch.tensor([[[0.9, 0.8, 0.0, 0.0]]])
        >>> edge = torch.tensor([[[0.0, 0.0, 1.0, 0.0]]])
        >>> synthesize_semantics(cams, torch.tensor([14]), edge, (1, 16))
        tensor([[15, 15, 15, 15, 15, 15, 15, 15, 15,  0,  0,  0,  0,  0,  0,  0]],
               dtype=torch.uint8)
    """
    image_size = as_size('image_size', image_size)
    threshold = as_number('threshold', threshold, '[0, 1]')
    _check_maps(cams, labels, edge, image_size)
    if not len(cams):
        return torch.zeros(image_size, dtype=torch.uint8)
    if labels.min() < 0 or labels.max() >= 254:
        raise ValueError(
            'labels: expected classes from 0 to 253, which fit an 8-bit map with 255 '
            f'as ignore, got {labels.tolist()}.'
        )
    walked = affinity_walk(cams, edge, radius, beta, num_steps)
    best = best_channels(walked, image_size, threshold)
    values = F.pad(labels.cpu().long() + 1, (1, 0)).to(torch.uint8)
    return values[best.index.cpu()]


def _check_maps(
    cams: Tensor, labels: Tensor, edge: Tensor, image_size: tuple[int, int]
) -> None:
    check_shape('cams', cams, ('K', 'h', 'w'))
    check_shape('labels', labels, (len(cams),))
    check_integers('labels', labels)
    grid = stride4_size(image_size)
    if tuple(cams.shape[1:]) != grid:
        raise ValueError(
            f'cams: an image of {tuple(image_size)} pixels has maps of {grid}, got '
            f'{tuple(cams.shape[1:])}. Were they made from another image or size?'
        )
    check_shape('edge', edge, (1, *grid), like=cams)
    check_finite('cams', cams)


def instance_channels(cams: Tensor, instances: InstanceMap) -> Tensor:
    r"""Cut each CAM into one channel per instance.

    Eq. 11 of `IRNet <https://arxiv.org/abs/1904.05044>`__, with the instance map I:

    .. math::
        \bar M_{ck}(x) = M_c(x) \text{ if } I(x) = k, \text{ else } 0.

    Args:
        cams: (K, h, w) CAMs.
        instances: The n instances of the grid.

    Returns:
        (K * n, h, w): channel ``k * n + i`` is class k within instance i.

    Raises:
        ValueError: Wrong shapes or count.

    Example:
        >>> instances = InstanceMap(torch.tensor([[0, 0, 1]]), count=2)
        >>> instance_channels(torch.tensor([[[0.5, 1.0, 0.7]]]), instances)
        tensor([[[0.5000, 1.0000, 0.0000]],
                [[0.0000, 0.0000, 0.7000]]])
    """
    check_shape('cams', cams, ('K', 'h', 'w'))
    check_shape('instances.ids', instances.ids, tuple(cams.shape[1:]), like=cams)
    count = as_integer('instances.count', instances.count, 0)
    numbers = torch.arange(count, device=cams.device)
    masks = instances.ids == numbers[:, None, None]
    return (cams[:, None] * masks).flatten(0, 1)


def best_channels(
    maps: Tensor, image_size: tuple[int, int], threshold: float = 0.25
) -> BestChannels:
    """Upsample maps to the image and find the strongest above the background.

    Args:
        maps: (C, h, w) maps at stride 4, at least 0.
        image_size: (H, W) of the image in pixels.
        threshold: Strength of the background, relative to the maximum over all
            channels; a pixel that just reaches it is background. Defaults to 0.25.

    Returns:
        Background everywhere if the maps are zero. Of equal channels the first wins.

    Raises:
        ValueError: Wrong shape, threshold or size, or maps that are not finite.

    Example:
        >>> maps = torch.tensor([[[8.0, 0.0]], [[0.0, 4.0]]])
        >>> best_channels(maps, image_size=(1, 8)).index
        tensor([[1, 1, 1, 1, 1, 2, 2, 2]])
    """
    check_shape('maps', maps, ('C', 'h', 'w'))
    image_size = as_size('image_size', image_size)
    threshold = as_number('threshold', threshold, '[0, 1]')
    if tuple(maps.shape[1:]) != stride4_size(image_size):
        raise ValueError(
            f'maps: an image of {image_size} pixels has maps of '
            f'{stride4_size(image_size)}, got {tuple(maps.shape[1:])}.'
        )
    check_finite('maps', maps)
    with torch.no_grad(), full_precision(maps):
        maps = to_full_precision(maps)
        # The argmax over the background and all channels, one channel at a time: all of
        # them at image size would not fit the memory. Only a larger score takes over.
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
    """Make one entry of each connected component of each channel's pixels.

    Args:
        best: The strongest channel at each pixel.
        labels: (K,) 0-based classes.
        instances: The n instances of the grid; channel ``k * n + i`` is class k within
            instance i. None: channel k is class k.
        min_area: Components below this share of the image get the score 0.

    Returns:
        The components by channel, then in raster order. The score of one is the largest
        of its pixels.

    Raises:
        TypeError: Channels or labels that are no integers.
        ValueError: Wrong shapes, a channel that is none of those, no share.

    Example:
        >>> index = torch.tensor([[1, 1, 0, 1]])
        >>> best = BestChannels(index, torch.tensor([[0.9, 1.0, 0.2, 0.5]]))
        >>> found = split_components(best, torch.tensor([14]), None, min_area=0.5)
        >>> found.masks.int().tolist(), found.scores.tolist(), found.labels.tolist()
        ([[[1, 1, 0, 0]], [[0, 0, 0, 1]]], [1.0, 0.0], [14, 14])
    """
    min_area = as_number('min_area', min_area, '[0, 1]')
    per_class = (
        max(1, as_integer('instances.count', instances.count)) if instances else 1
    )
    check_shape('best.index', best.index, ('H', 'W'))
    check_shape('best.score', best.score, tuple(best.index.shape))
    check_shape('labels', labels, ('K',))
    check_integers('labels', labels)
    check_integers('best.index', best.index)
    check_within('best.index', best.index, 0, len(labels) * per_class)
    check_finite('best.score', best.score)
    found = connected_components(best.index.cpu().long(), connectivity=4)
    scores = region_peaks(found.labels, best.score.cpu()).scores
    # The smallest number of pixels that is no fragment.
    least = math.ceil(min_area * best.index.numel() - ROUNDING)
    scores = scores.masked_fill(found.areas < least, 0)
    numbers = torch.arange(1, len(found.areas) + 1, dtype=torch.int32)
    return SynthesizedInstances(
        scores.float(),
        found.labels == numbers[:, None, None],
        labels.cpu().long()[(found.classes - 1) // per_class],
        instances,
    )
