"""Masks for points: the rows of Table 1 of `WISE <https://arxiv.org/abs/1906.06392>`_."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmwsis.ops import (
    ClassBlobs,
    Peaks,
    PointInstances,
    ScoredInstances,
    assign_pixels,
    background_pixels,
    best_proposals,
    choose_proposals,
    enlarged_at,
    least_covered_pixels,
    oracle_objects,
    oracle_proposals,
    points_in_proposals,
    proposal_candidates,
)
from mmwsis.structures.proposals import Proposals

# How well region and proposal agree, what L-Net says, or both.
SCORES = ('dice', 'peak', 'product')


class WISEResult(NamedTuple):
    """What the network finds in an image, at the size of the original image.

    What a mask source has no use for is None.

    Attributes:
        probabilities: (C + 1, H, W), background first.
        blobs: Of L-Net.
        points: K objects that masks are made for.
        embeddings: (d, h, w) of E-Net, to be enlarged with aligned corners.
        background: (B, 2) int64 ``(x, y)``, pixels that stand for the background.
        assignment: (H, W) int64, 0 background, ``i + 1`` object i.
        chosen: (K,) int64, the proposal of each object, -1 where there is none.
        objects: (M,) int64, the object that each instance is of.
        instances: M masks; objects that have none are left out.
    """

    probabilities: Tensor | None = None
    blobs: ClassBlobs | None = None
    points: Peaks | None = None
    embeddings: Tensor | None = None
    background: Tensor | None = None
    assignment: Tensor | None = None
    chosen: np.ndarray | None = None
    objects: Tensor | None = None
    instances: ScoredInstances | None = None


class KnownObjects(NamedTuple):
    """The ground truth of an image.

    Attributes:
        labels: (M,) int64, 0-based classes.
        masks: (M, H, W) bool, of the original image.
    """

    labels: np.ndarray
    masks: np.ndarray


def blob_masks(blobs: ClassBlobs) -> PointInstances:
    """Take the blob of each point, with the score 1 ("L-Net + Blobs").

    Args:
        blobs: Of the localization network.
    """
    numbers = torch.arange(1, len(blobs.labels) + 1, device=blobs.ids.device)
    masks = blobs.ids == numbers[:, None, None]
    instances = ScoredInstances(blobs.labels, torch.ones_like(blobs.scores), masks)
    return PointInstances(numbers - 1, instances)


def best_proposal_masks(
    points: Peaks, proposals: Proposals, min_score: float
) -> PointInstances:
    """Take the covering proposal of the best score ("L-Net + Best proposal").

    Args:
        points: K objects.
        proposals: N proposals.
        min_score: They have a higher score.

    Returns:
        One mask for each point that a proposal covers, with the proposal's score.
    """
    hits = points_in_proposals(points.points.cpu().numpy(), proposals)
    candidates = proposal_candidates(hits, proposals.scores, min_score)
    index = best_proposals(candidates, proposals.scores)
    scores = np.append(proposals.scores, 0.0)[index]  # the last: where there is none
    return _chosen_masks(points, proposals, index, scores)


def oracle_masks(
    points: Peaks, proposals: Proposals, truth: KnownObjects, min_score: float
) -> PointInstances:
    """Take the covering proposal nearest to the known object ("L-Net + Oracle").

    Args:
        points: K objects.
        proposals: N proposals.
        truth: Known objects.
        min_score: Proposals have a higher score.

    Returns:
        One mask for each point on an object of its class that a proposal covers, with
        the Dice of both as its score.
    """
    found = oracle_proposals(
        points.points.cpu().numpy(),
        points.labels.cpu().numpy(),
        truth.masks,
        truth.labels,
        proposals,
        min_score,
    )
    return _chosen_masks(points, proposals, found.index, found.dice)


def true_masks(points: Peaks, truth: KnownObjects) -> PointInstances:
    """Take the known object below each point, with the score 1 ("L-Net + GT-Mask").

    Args:
        points: K objects.
        truth: Known objects.

    Returns:
        One mask for each point on an object of its class; several on one object stay.
    """
    index = oracle_objects(
        points.points.cpu().numpy(),
        points.labels.cpu().numpy(),
        truth.masks,
        truth.labels,
    )
    masks = torch.from_numpy(truth.masks[index[index >= 0]])
    return _masks_of(points, index, np.ones(len(index)), masks)


def no_masks(points: Peaks, size: tuple[int, int]) -> PointInstances:
    """Return the masks of no point.

    Args:
        points: Of 0 objects.
        size: ``(H, W)`` of the image.
    """
    nothing = np.zeros(0, np.int64)
    return _masks_of(points, nothing, nothing, torch.zeros(0, *size, dtype=torch.bool))


class EmbeddedObjects(NamedTuple):
    """Masks from embeddings, and how they came about.

    Attributes:
        background: (B, 2) int64 ``(x, y)``, pixels that stand for the background.
        assignment: (H, W) int64, 0 background, ``i + 1`` object i.
        chosen: (K,) int64, the proposal of each object, -1 where there is none.
        objects: (M,) int64, the objects that have a pixel of the assignment.
        instances: M masks of theirs.
    """

    background: Tensor
    assignment: Tensor
    chosen: np.ndarray
    objects: Tensor
    instances: ScoredInstances


def embedded_masks(
    embeddings: Tensor,
    points: Peaks,
    proposals: Proposals,
    *,
    cand_min_score: float,
    background_min_score: float | None,
    single_point: bool,
    kmeans_stride: int,
    restrict_to_point: bool,
    score: str,
) -> EmbeddedObjects:
    """Take the proposal that fits best what looks like the point to E-Net.

    Args:
        embeddings: (d, h, w)
        points: K objects, at least one.
        proposals: N proposals.
        cand_min_score: The chosen proposal has a higher score.
        background_min_score: Background is covered by no proposal of a higher score
            around a point. None: ``cand_min_score``.
        single_point: Whether proposals that cover several points leave background.
        kmeans_stride: Every so many rows and columns of the background are clustered.
        restrict_to_point: Whether the chosen proposal covers the point.
        score: 'dice' of the pixels and the proposal, 0 without one; 'peak': the point's
            score; 'product' of both.

    Returns:
        Masks are the proposal that fits the pixels best, or the pixels themselves where
        none does.
    """
    size, pixels = proposals.size, points.points.cpu().numpy()
    least = cand_min_score if background_min_score is None else background_min_score
    free = least_covered_pixels(pixels, proposals, least, single_point)
    background = background_pixels(
        embeddings,
        torch.from_numpy(free).to(embeddings.device),
        len(pixels),
        kmeans_stride,
    )
    objects, others = (
        enlarged_at(embeddings, entry, size) for entry in (points.points, background)
    )
    assignment = assign_pixels(embeddings, size, objects, others)
    numbers = torch.arange(1, len(pixels) + 1, device=assignment.device)
    masks = assignment == numbers[:, None, None]
    found = choose_proposals(
        masks.cpu().numpy(), pixels, proposals, cand_min_score, restrict_to_point
    )
    kept = masks.flatten(1).any(1).nonzero()[:, 0]
    fitted = np.flatnonzero(found.index >= 0)
    masks[fitted] = _decoded(proposals, found.index[fitted]).to(masks.device)
    scores = points.scores
    if score != 'peak':
        dice = torch.from_numpy(found.dice).to(scores)
        scores = dice if score == 'dice' else dice * scores
    instances = (entry[kept] for entry in (points.labels, scores, masks))
    return EmbeddedObjects(
        background, assignment, found.index, kept, ScoredInstances(*instances)
    )


def _chosen_masks(
    points: Peaks, proposals: Proposals, index: np.ndarray, scores: np.ndarray
) -> PointInstances:
    """Masks and scores of the points that have a proposal."""
    return _masks_of(points, index, scores, _decoded(proposals, index[index >= 0]))


def _masks_of(
    points: Peaks, index: np.ndarray, scores: np.ndarray, masks: Tensor
) -> PointInstances:
    """Masks of the points whose index is not negative, of which each has a score."""
    kept = np.flatnonzero(index >= 0)
    scores = torch.from_numpy(scores[kept]).to(points.scores)
    objects = torch.from_numpy(kept).to(points.labels.device)
    instances = ScoredInstances(points.labels[objects], scores, masks.to(scores.device))
    return PointInstances(objects, instances)


def _decoded(proposals: Proposals, index: np.ndarray) -> Tensor:
    """Masks of proposals in any order, each decoded once."""
    some, place = np.unique(index, return_inverse=True)
    return torch.from_numpy(proposals[some].decode()[place])
