"""WISE's steps as they are usually written: full images, one object at a time."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from skimage.segmentation import find_boundaries, watershed
from torch import Tensor

from mmwsis.structures import Proposals


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


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (d, h, w) at the size of the image."""
    return F.interpolate(maps[None], size, mode='bilinear', align_corners=True)[0]


def embedding_loss(
    maps: Tensor, size: tuple[int, int], anchors: Tensor, pixels: Tensor, same: Tensor
) -> Tensor:
    """The sum over pairs, of pixels of the full map."""
    full = enlarged(maps, size)
    anchors = full[:, anchors[:, 1], anchors[:, 0]].T
    samples = full[:, pixels[..., 1], pixels[..., 0]].permute(1, 2, 0)
    difference = anchors[:, None, None] - samples
    z = difference.square().sum(-1) / (2 * len(maps))
    apart = -torch.log((-torch.expm1(-z)).clamp(min=1e-6))
    return torch.where(same[..., None], z, apart).sum()


def blob_peaks(probabilities: Tensor) -> list[tuple[int, int, int]]:
    """``(x, y, class)`` of each blob, by a mask of the image."""
    best, found = probabilities.argmax(0).numpy(), []
    for channel in range(1, len(probabilities)):
        blobs, count = ndimage.label(best == channel, np.ones((3, 3)))
        for number in range(1, count + 1):
            scores = np.where(blobs == number, probabilities[channel].numpy(), -1)
            y, x = np.unravel_index(scores.argmax(), scores.shape)
            found.append((int(x), int(y), channel - 1))
    return found


def masks_of(
    logits: Tensor, maps: Tensor, proposals: Proposals, min_score: float
) -> list[tuple[int, float, np.ndarray]]:
    """Class, Dice and mask of each object; every proposal is decoded."""
    points = blob_peaks(logits.softmax(0))
    full = enlarged(maps, logits.shape[1:]).permute(1, 2, 0).numpy()
    decoded = proposals.decode()
    candidates = [
        decoded[(proposals.scores > min_score) & decoded[:, y, x]] for x, y, _ in points
    ]
    background = full[~np.concatenate(candidates).any(0)]
    means, owner = kmeans2(background, len(points), minit='++', seed=0)
    references = [full[y, x] for x, y, _ in points]
    for number, mean in enumerate(means):
        own = background[owner == number]
        if len(own):
            references.append(own[np.square(own - mean).sum(1).argmin()])
    similarity = [np.square(full - one).sum(2) for one in references]
    nearest, found = np.argmin(similarity, 0), []
    for number, (_, _, label) in enumerate(points):
        mask, dice = nearest == number, 0.0
        common = (candidates[number] & mask).sum((1, 2))
        areas = candidates[number].sum((1, 2)) + mask.sum()
        if common.any():
            best = (common / (areas - common)).argmax()
            dice = 2 * common[best] / (areas[best] + 1)
            mask = candidates[number][best]
        found.append((label, dice, mask))
    return found
