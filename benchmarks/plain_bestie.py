"""BESTIE's instances as the paper's listing makes them: full images, one by one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from mmwsis.ops import draw_centers


class Settings(NamedTuple):
    """Those of ``mmwsis.ops.component_instances``."""

    threshold: float = 0.3
    kernel_size: int = 41
    beta: float = 3.0
    min_area: int = 50
    keep_centerless: bool = False
    cluster_radius: float = 2.5
    cluster_min_value: float = 0.05
    cluster_min_distance: float = 100.0


def component_masks(
    semantic_map: Tensor, label: int, min_area: int
) -> Iterator[Tensor]:
    """The 8-connected components of a class, (H, W) each."""
    numbers, count = ndimage.label(semantic_map.numpy() == label + 1, np.ones((3, 3)))
    for number in range(1, count + 1):
        mask = torch.from_numpy(numbers == number)
        if mask.sum() >= min_area:
            yield mask


def detected_centers(roi: Tensor, threshold: float, kernel_size: int) -> Tensor:
    """(K, 2) row and column of what max pooling of the full image leaves as it is."""
    heat = torch.where(roi > threshold, roi, -1.0)
    largest = F.max_pool2d(heat[None, None], kernel_size, 1, kernel_size // 2)[0, 0]
    return ((heat == largest) & (heat > 0)).nonzero()


def clustered_centers(
    roi: Tensor, offsets: Tensor, mask: Tensor, settings: Settings
) -> list[tuple[int, int]]:
    """Row and column of each round region of short offsets."""
    radius = settings.cluster_radius
    steps = np.arange(-np.ceil(radius), np.ceil(radius) + 1)
    disc = (np.hypot(*np.meshgrid(steps, steps)) < radius).sum()
    short = offsets.square().sum(0).sqrt() < radius
    numbers, count = ndimage.label((short & mask).numpy())
    points = []
    for number in range(1, count + 1):
        rows, columns = np.nonzero(numbers == number)
        point = int(rows.mean()), int(columns.mean())
        is_round = disc - settings.beta < len(rows) < disc + settings.beta
        # With a bound below 0 the value alone would take a middle outside, too.
        if is_round and mask[point] and roi[point] > settings.cluster_min_value:
            points.append(point)
    return points


def component_ids(
    mask: Tensor, center_map: Tensor, offsets: Tensor, settings: Settings
) -> tuple[Tensor, Tensor]:
    """Centres that own the pixels of a component, from 1, and its centre values."""
    roi = center_map * mask
    centers = detected_centers(roi, settings.threshold, settings.kernel_size).tolist()
    found = list(centers)
    for point in clustered_centers(roi, offsets, mask, settings):
        gaps = [np.hypot(point[0] - y, point[1] - x) for y, x in found]
        if min(gaps, default=np.inf) > settings.cluster_min_distance:
            centers.append(point)
            roi[point] = 1
    if not centers:
        return mask.long() * settings.keep_centerless, roi
    return nearest(offsets, centers) * mask, roi


def nearest(offsets: Tensor, centers: Sequence[Sequence[int]]) -> Tensor:
    """(H, W) the nearest centre of every pixel of the image, from 1."""
    rows, columns = torch.meshgrid(*map(torch.arange, offsets.shape[1:]), indexing='ij')
    places = offsets + torch.stack([rows, columns])
    centers = torch.tensor(centers, dtype=places.dtype)[:, :, None, None]
    return (places - centers).square().sum(1).sqrt().argmin(0) + 1


def refined_targets(
    semantic_map: Tensor,
    seg_logits: Tensor,
    centers: Tensor,
    offsets: Tensor,
    tags: Tensor,
    settings: Settings,
    max_instances: int = 5,
    sigma: float = 6.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Targets of a batch, each instance by masks of the full image."""
    batch, _, *size = centers.shape
    probabilities = seg_logits.softmax(1)
    weights, refined = torch.zeros(batch, 1, *size), torch.zeros(batch, 2, *size)
    grid = torch.stack(torch.meshgrid(*map(torch.arange, size), indexing='ij'))
    drawn = torch.zeros_like(centers)
    for image, label in tags.nonzero().tolist():
        points = []
        for mask in component_masks(semantic_map[image], label, settings.min_area):
            ids, roi = component_ids(
                mask, centers[image, label], offsets[image], settings
            )
            if ids.max() > max_instances:
                continue
            middle = [int(axis.mean()) for axis in np.nonzero(mask.numpy())]
            for number in ids.unique().tolist():
                if number == 0:
                    continue
                own = ids == number
                weight = probabilities[image, label + 1][own].mean()
                best = torch.where(own, roi, -torch.inf).argmax().item()
                point = divmod(best, size[1])
                if roi[point] < settings.threshold:
                    point = middle
                else:
                    weight = weight * roi[point]
                points.append(point[::-1])
                weights[image, 0][own] = weight.clamp(0, 1)
                towards = torch.tensor(point)[:, None, None] - grid
                refined[image] = torch.where(own, towards, refined[image])
        points = torch.tensor(points, dtype=torch.int64).view(-1, 2)
        drawn[image, label] = draw_centers(
            points, torch.zeros_like(points[:, 0]), 1, size, sigma
        )[0]
    return drawn, refined, weights


def point_targets(
    semantic_map: Tensor,
    offsets: Tensor,
    points: Sequence[Tensor],
    labels: Sequence[Tensor],
    tags: Tensor,
) -> tuple[Tensor, Tensor]:
    """Offsets to the points and weights of a batch, point by point."""
    refined, weights = torch.zeros_like(offsets), torch.zeros_like(offsets[:, :1])
    size = offsets.shape[2:]
    grid = torch.stack(torch.meshgrid(*map(torch.arange, size), indexing='ij'))
    for image, label in tags.nonzero().tolist():
        own = points[image][labels[image] == label].flip(1)
        if not len(own):
            continue
        mask = semantic_map[image] == label + 1
        ids = nearest(offsets[image], own.tolist()) * mask
        for number, point in enumerate(own, start=1):
            towards = point[:, None, None] - grid
            refined[image] = torch.where(ids == number, towards, refined[image])
        weights[image, 0][mask] = 1
    return refined, weights


def scored_instances(
    probabilities: Tensor, centers: Tensor, offsets: Tensor, settings: Settings
) -> list[tuple[int, float, Tensor]]:
    """Label, score and (H, W) mask of each instance of an image."""
    semantic_map, found = probabilities.argmax(0), []
    for label, center_map in enumerate(centers):
        for mask in component_masks(semantic_map, label, settings.min_area):
            ids, roi = component_ids(mask, center_map, offsets, settings)
            for number in ids.unique().tolist():
                if number > 0:
                    own = ids == number
                    mean = probabilities[label + 1][own].mean().item()
                    peak = roi[own].max().item()
                    score = mean * (mean if peak >= 1 else peak)
                    found.append((label, score, own))
    return found
