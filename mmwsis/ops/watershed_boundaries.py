"""Boundaries between the points of a class, by watershed."""

import cv2
import numpy as np
import torch
from skimage.segmentation import watershed
from torch import Tensor

from .tensor_checks import (
    check_finite,
    check_pixels,
    check_shape,
    to_full_precision,
)

WINDOW = 7


@torch.no_grad()
def watershed_boundaries(probability: Tensor, points: Tensor) -> Tensor:
    """Pixels that separate the points from each other.

    The watershed of `LCFCN <https://arxiv.org/abs/1807.09856>`__ (split-level loss) as
    in its released code: each point is a marker, the surface is the black top-hat of
    the probability in a 7x7 window, 4 neighbours are flooded, and the boundary is two
    pixels wide, one on either side.

    Args:
        probability: (H, W) of the class, finite.
        points: (N, 2) integers ``(x, y)`` in the image. In any order: the result
            depends on the set alone.

    Returns:
        (H, W) bool, on the device of ``probability``; empty of fewer than two points on
        different pixels.

    Raises:
        TypeError: Points of fractions.
        ValueError: Wrong shapes, a point outside the image, or a probability that is
            not finite.

    Example:
        >>> probability = torch.full((1, 9), 0.9)
        >>> probability[0, 4] = 0.2
        >>> watershed_boundaries(probability, torch.tensor([[1, 0], [7, 0]])).int()
        tensor([[0, 0, 0, 0, 1, 1, 0, 0, 0]], dtype=torch.int32)
    """
    check_shape('probability', probability, ('H', 'W'))
    check_pixels('points', points, probability)
    check_finite('probability', probability)
    surface = watershed_surface(to_full_precision(probability).cpu().numpy())
    found = boundaries_between(surface, points.cpu().numpy())
    return torch.from_numpy(found).to(probability.device)


def watershed_surface(probability: np.ndarray) -> np.ndarray:
    """Return the black top-hat of an (H, W) map of fractions.

    OpenCV leaves pixels outside the image out of its maxima and minima. With those of
    the reflected image, as SciPy has them, they are the same, and ten times slower.
    """
    return cv2.morphologyEx(
        probability, cv2.MORPH_BLACKHAT, np.ones((WINDOW, WINDOW), np.uint8)
    )


def boundaries_between(surface: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the (H, W) boundaries between (N, 2) points on a surface."""
    columns, rows = points.T
    markers = np.unique(rows * surface.shape[1] + columns)
    if len(markers) < 2:
        return np.zeros(surface.shape, dtype=bool)
    seeds = np.zeros(surface.shape, dtype=np.int32)
    seeds.flat[markers] = np.arange(1, len(markers) + 1)
    parts = watershed(surface, seeds)
    found = np.zeros(surface.shape, dtype=bool)
    for one, other in (np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1]):
        differs = parts[one] != parts[other]
        found[one] |= differs
        found[other] |= differs
    return found
