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
        surface = watershed_surface(
            to_full_precision(probabilities[label]).cpu().numpy()
        )
        everywhere = boundaries_between(surface, pixels[mine])
        _add_mean(weights[2], everywhere, global_factor)
        for blob in np.unique(homes[mine & (homes > 0) & (counts[homes] > 1)]):
            # Around all points of the class it is the watershed that is there already.
            inside = pixels[homes == blob]
            is_all = len(inside) == mine.sum()
            between = everywhere if is_all else boundaries_between(surface, inside)
            within = between & (blobs.labels == blob)
            _add_mean(weights[1], within, len(inside) + local_offset)
    return torch.from_numpy(weights).to(class_map.device)


def _add_mean(weights: np.ndarray, mask: np.ndarray, factor: int) -> None:
    """Make the weighted sum larger by ``factor`` times the mean of a mask."""
    weights[mask] += factor / max(1, mask.sum())
