"""Which pixels a localization network has to give back to the background (LCFCN)."""

import numpy as np
import torch
from torch import Tensor

from .connected_components import connected_components
from .tensor_checks import (
    as_integer,
    check_finite,
    check_integers,
    check_pixels,
    check_shape,
    check_within,
    to_full_precision,
)
from .watershed_boundaries import boundaries_between, watershed_surface


@torch.no_grad()
def background_weights(
    class_map: Tensor,
    probabilities: Tensor,
    points: Tensor,
    labels: Tensor,
    local_offset: int = 1,
    global_factor: int = 1,
) -> Tensor:
    """How often the background's cost of a pixel counts in three terms of LCFCN's loss.

    The false-positive level and the two parts of the split level of
    `LCFCN <https://arxiv.org/abs/1807.09856>`__. Each term is a sum of means, so that
    all their pixels are summed at once: those of a mean of n pixels weigh 1 / n. All
    blobs come from one map of components; watersheds run for the classes with several
    points alone, of the full image.

    Args:
        class_map: (H, W) integers: 0 is background, ``c + 1`` class ``c``.
        probabilities: (C, H, W), finite, of the classes; what watersheds flood.
        points: (N, 2) integers ``(x, y)``, on different pixels.
        labels: (N,) integers, the 0-based class of each.
        local_offset: Added to the number of a blob's points in the factor of its
            boundaries. Defaults to 1.
        global_factor: That of the boundaries between all points of a class. Defaults to
            1.

    Returns:
        (3, H, W) float64: of blobs without a point of their class, of the boundaries
        between the points of a blob within it, and of those between all points of a
        class. Classes add up.

    Raises:
        TypeError: A map, points or labels of fractions.
        ValueError: Wrong shapes, a class or a point outside, or probabilities that are
            not finite.

    Example:
        >>> class_map = torch.tensor([[1, 1, 1, 0, 2]])
        >>> points, labels = torch.tensor([[0, 0], [2, 0]]), torch.tensor([0, 0])
        >>> weights = background_weights(class_map, torch.ones(2, 1, 5), points, labels)
        >>> weights[0].tolist(), weights[1].tolist()
        ([[0.0, 0.0, 0.0, 0.0, 1.0]], [[0.0, 1.5, 1.5, 0.0, 0.0]])
    """
    check_shape('class_map', class_map, ('H', 'W'))
    check_integers('class_map', class_map)
    check_shape('probabilities', probabilities, ('C', *class_map.shape), like=class_map)
    check_finite('probabilities', probabilities)
    check_within('class_map', class_map, 0, len(probabilities))
    check_pixels('points', points, class_map)
    check_shape('labels', labels, (len(points),), like=class_map)
    check_integers('labels', labels)
    check_within('labels', labels, 0, len(probabilities) - 1)
    local_offset = as_integer('local_offset', local_offset)
    global_factor = as_integer('global_factor', global_factor)
    blobs = connected_components(class_map.cpu().numpy())
    pixels, classes = points.cpu().numpy(), labels.cpu().numpy()
    # The blob of each point, 0 where it lies in none of its own class.
    homes = blobs.labels[pixels[:, 1], pixels[:, 0]]
    own = np.append(0, blobs.classes)[homes] == classes + 1
    homes = np.where(own, homes, 0)
    counts = np.bincount(homes, minlength=len(blobs.areas) + 1)
    shares = np.append(0, (counts[1:] == 0) / blobs.areas)
    weights = np.zeros((3, *class_map.shape))
    weights[0] = shares[blobs.labels]
    for label in np.flatnonzero(np.bincount(classes) > 1):
        mine = classes == label
        weights[1:] += _split_weights(
            to_full_precision(probabilities[label]).cpu().numpy(),
            pixels[mine],
            homes[mine],
            blobs.labels,
            local_offset,
            global_factor,
        )
    return torch.from_numpy(weights).to(class_map.device)


def _split_weights(
    probability: np.ndarray,
    points: np.ndarray,
    homes: np.ndarray,
    ids: np.ndarray,
    local_offset: int,
    global_factor: int,
) -> np.ndarray:
    """Return a class's (2, H, W) weights, within the blobs ``ids`` and everywhere.

    ``homes`` are the blobs of its N points, 0 for none.
    """
    surface = watershed_surface(probability)
    everywhere = boundaries_between(surface, points)
    local = np.zeros(ids.shape)
    for blob in np.flatnonzero(np.bincount(homes[homes > 0]) > 1):
        inside = points[homes == blob]
        # Around all points of the class it is the watershed that is there already.
        is_all = len(inside) == len(points)
        between = everywhere if is_all else boundaries_between(surface, inside)
        local += _mean_weights(between & (ids == blob), len(inside) + local_offset)
    return np.stack([local, _mean_weights(everywhere, global_factor)])


def _mean_weights(mask: np.ndarray, factor: int) -> np.ndarray:
    """Weights that turn a sum into ``factor`` times the mean of a mask, 0 if empty."""
    return mask * (factor / max(1, mask.sum()))
