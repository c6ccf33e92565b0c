"""WISE's steps as they are usually written: full images, one object at a time."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from skimage.segmentation import find_boundaries, watershed
from torch import Tensor


def mean_by_nll(log_probabilities: Tensor, mask: np.ndarray) -> Tensor:
    """Mean of a mask's background cost by the loss of classes, others ignored."""
    if not mask.any():
        return 0 * log_probabilities.sum()
    target = torch.from_numpy(np.where(mask, 0, -100))
    return F.nll_loss(log_probabilities[None], target[None])


def mean_by_mask(log_probabilities: Tensor, mask: np.ndarray) -> Tensor:
    """The same by indexing the background's channel."""
    if not mask.any():
        return 0 * log_probabilities.sum()
    return -log_probabilities[0][torch.from_numpy(mask)].mean()


def split(probability: np.ndarray, clicked: np.ndarray) -> np.ndarray:
    """(H, W) boundaries between the pixels of a mask."""
    markers = np.cumsum(clicked.ravel()).reshape(clicked.shape) * clicked
    surface = ndimage.black_tophat(probability, size=7)
    return find_boundaries(watershed(surface, markers.astype(np.int32)))


def lcfcn_loss(
    logits: Tensor,
    points: Tensor,
    labels: Tensor,
    mean: Callable[[Tensor, np.ndarray], Tensor] = mean_by_nll,
) -> dict[str, Tensor]:
    """The terms of the softmax form, class after class and blob after blob."""
    log_probabilities = logits.log_softmax(0)
    probabilities = log_probabilities.exp()
    maps = probabilities.detach().numpy()
    best = probabilities.max(0).indices.numpy()
    image, point, false, local, everywhere = logits.new_zeros(5).unbind()
    for channel, probability in enumerate(probabilities):
        largest = probability.flatten().max(0).values
        present = channel == 0 or bool((labels == channel - 1).any())
        target = torch.full_like(largest, present)
        image = image + F.binary_cross_entropy(largest, target)
    for (x, y), label in zip(points, labels):
        point = point - log_probabilities[label + 1, y, x]
    for label in range(len(logits) - 1):
        clicked = np.zeros(best.shape, dtype=bool)
        for x, y in points[labels == label]:
            clicked[y, x] = True
        blobs, count = ndimage.label(best == label + 1, np.ones((3, 3)))
        for number in range(1, count + 1):
            blob = blobs == number
            inside = int((clicked & blob).sum())
            if not inside:
                false = false + mean(log_probabilities, blob)
            elif inside > 1:
                boundary = split(maps[label + 1], clicked & blob) & blob
                local = local + (inside + 1) * mean(log_probabilities, boundary)
        if clicked.any():
            boundary = split(maps[label + 1], clicked)
            part = mean(log_probabilities, boundary)
            everywhere = everywhere + len(points) * part
    return dict(
        loss_image=image,
        loss_point=point,
        loss_false_positive=false,
        loss_split=local,
        loss_global_split=everywhere,
    )
