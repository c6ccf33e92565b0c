"""What finds instances in maps, step by step as it is usually written."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

Arrays = tuple[np.ndarray, ...]


def components_by_class(label_map: np.ndarray) -> Arrays:
    """OpenCV's components and statistics of one class after the other."""
    labels = np.zeros(label_map.shape, dtype=np.int32)
    classes, statistics, centroids = [], [], []
    for label in np.unique(label_map[label_map > 0]):
        mask = (label_map == label).view(np.uint8)
        # Only this algorithm numbers in the order of the first pixels.
        count, numbers, found, middles = cv2.connectedComponentsWithStatsWithAlgorithm(
            mask, 8, cv2.CV_32S, cv2.CCL_WU
        )
        labels += np.where(mask > 0, numbers + sum(map(len, classes)), 0)
        classes.append(np.full(count - 1, label))
        statistics.append(found[1:])
        centroids.append(middles[1:])
    x, y, width, height, areas = np.concatenate(statistics).T
    boxes = np.stack([x, y, x + width, y + height], axis=1)
    return labels, np.concatenate(classes), areas, boxes, np.concatenate(centroids)


def components_one_by_one(label_map: np.ndarray) -> Arrays:
    """SciPy's components of one class after the other, each measured by its mask."""
    labels = np.zeros(label_map.shape, dtype=np.int32)
    classes, areas, boxes, centroids = [], [], [], []
    for label in np.unique(label_map[label_map > 0]):
        numbers, count = ndimage.label(label_map == label, np.ones((3, 3)))
        for number in range(1, count + 1):
            mask = numbers == number
            y, x = np.nonzero(mask)
            classes.append(label)
            areas.append(len(y))
            boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1))
            centroids.append((x.mean(), y.mean()))
            labels[mask] = len(classes)
    return labels, *map(np.array, (classes, areas, boxes, centroids))


def peak_attention(features: Tensor, alpha: float) -> Tensor:
    """Peak attention by a pool, a map of bounds and a choice between two maps."""
    features = features.relu()
    maxima = F.adaptive_max_pool2d(features.detach(), 1).expand_as(features)
    return torch.where(features >= alpha * maxima, features, torch.zeros_like(features))


def pooled(maps: Tensor, kernel_size: int) -> Tensor:
    """Maximum of the window around each pixel, all of its pixels compared."""
    return F.max_pool2d(maps[None], kernel_size, 1, kernel_size // 2)[0]


def filtered(maps: Tensor, kernel_size: int) -> Tensor:
    """Maximum of the window around each pixel, by SciPy, one axis after the other."""
    size = (1, kernel_size, kernel_size)
    found = ndimage.maximum_filter(maps.numpy(), size, mode='constant', cval=-np.inf)
    return torch.from_numpy(found)


def filtered_peaks(
    maps: Tensor,
    kernel_size: int,
    min_score: float,
    window_maximum: Callable[[Tensor, int], Tensor],
) -> Arrays:
    """Pixels that a maximum filter leaves as they are, by map, score and place."""
    largest = window_maximum(maps, kernel_size)
    labels, rows, columns = ((maps == largest) & (maps >= min_score)).nonzero().T
    scores = maps[labels, rows, columns]
    order = np.lexsort((-scores.numpy(), labels.numpy()))
    points = torch.stack([columns, rows], dim=1)
    return labels[order].numpy(), points[order].numpy(), scores[order].numpy()


def pooled_centres(heat: Tensor, labels: Tensor, count: int) -> list[Tensor]:
    """Centres of each component from max pooling of the whole image."""
    points = []
    for number in range(1, count + 1):
        own = torch.where((labels == number) & (heat[0] > 0.3), heat[0], -1.0)
        largest = pooled(own[None], 41)[0]
        points.append(((own == largest) & (own > 0)).nonzero().flip(1))
    return points


def same_points(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    """Whether both have the same points, in any order."""
    pairs = zip(first, second, strict=True)
    return all(sorted(a.tolist()) == sorted(b.tolist()) for a, b in pairs)


def blob_peaks(blobs: np.ndarray, scores: np.ndarray) -> Arrays:
    """The largest score of each blob, one after the other."""
    numbers, points = np.arange(1, blobs.max() + 1), []
    for number in numbers:
        inside = np.where(blobs == number, scores, -np.inf)
        points.append(np.unravel_index(inside.argmax(), blobs.shape)[::-1])
    points = np.array(points)
    return numbers, points, scores[points[:, 1], points[:, 0]]


def whole_image_centres(
    points: Tensor,
    labels: Tensor,
    num_classes: int,
    image_size: tuple[int, int],
    sigma: float = 6.0,
) -> Tensor:
    """A Gaussian of the size of the image for each centre."""
    maps = torch.zeros(num_classes, *image_size)
    rows, columns = torch.meshgrid(*map(torch.arange, image_size), indexing='ij')
    for (x, y), label in zip(points, labels):
        bell = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
        near = torch.maximum((columns - x).abs(), (rows - y).abs()) <= 3 * sigma + 1
        maps[label] = torch.maximum(maps[label], bell * near)
    return maps


def dense_groups(offsets: Tensor, centers: Tensor, mask: Tensor) -> Tensor:
    """The nearest centre of all pixels, then cut to the mask."""
    rows, columns = torch.meshgrid(*map(torch.arange, mask.shape), indexing='ij')
    places = offsets + torch.stack([rows, columns])
    away = (places[None] - centers.flip(1)[:, :, None, None]).norm(dim=1)
    return (away.argmin(0) + 1) * mask


def looped_clusters(offsets: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Components of short offsets, each measured by its own mask."""
    numbers, count = ndimage.label((np.hypot(*offsets) < 2.5) & mask)
    points = []
    for number in range(1, count + 1):
        y, x = np.nonzero(numbers == number)
        if 18 < len(y) < 24:
            points.append((int(x.mean()), int(y.mean())))
    return np.array(points)


def smallest_area(heat: np.ndarray, threshold: float) -> np.ndarray:
    """Of the classes over a pixel the one of the smallest area, of all at once."""
    heat = np.maximum(heat, 0)
    highest = heat.max((1, 2), keepdims=True)
    covered = (heat >= threshold * highest) & (highest > 0)
    areas = np.where(covered, covered.sum((1, 2), keepdims=True), np.inf)
    return np.where(covered.any(0), areas.argmin(0), 255)


def voted_labels(
    crops: Tensor, boxes: Tensor, image_size: tuple[int, int], num_classes: int
) -> Tensor:
    """One plane of votes for each class; a class has to have those of all crops."""
    votes = torch.zeros(num_classes, *image_size, dtype=torch.uint8)
    covered = torch.zeros(image_size, dtype=torch.uint8)
    for crop, (x1, y1, x2, y2) in zip(crops, boxes.tolist()):
        covered[y1:y2, x1:x2] += 1
        for label in range(num_classes):
            votes[label, y1:y2, x1:x2] += crop == label
    most, label = votes.max(0)
    return label.byte().masked_fill((most < covered) | (covered == 0), 255)


def component_targets(
    semantic_map: np.ndarray, points: np.ndarray, labels: np.ndarray, num_classes: int
) -> Arrays:
    """BESTIE's pseudo labels, class by class and component by component."""
    height, width = semantic_map.shape
    rows, columns = np.indices((height, width))
    centers = np.zeros((num_classes, height, width), np.float32)
    offsets, weights = np.zeros((2, height, width)), np.zeros((1, height, width))
    for label in np.unique(labels):
        numbers, count = ndimage.label(semantic_map == label + 1, np.ones((3, 3)))
        cues = numbers[points[labels == label, 1], points[labels == label, 0]]
        for number in range(1, count + 1):
            mask = numbers == number
            if mask.sum() < 50 or (cues == number).sum() != 1:
                continue
            y, x = (int(place[mask].mean()) for place in (rows, columns))
            weights[0][mask] = 1
            offsets[0][mask], offsets[1][mask] = y - rows[mask], x - columns[mask]
            near = (abs(rows - y) <= 19) & (abs(columns - x) <= 19)
            bell = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 72) * near
            centers[label] = np.maximum(centers[label], bell)
    return centers, offsets, weights
