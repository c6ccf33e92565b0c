"""The proposal that fits a region, or a known object, best (WISE)."""

from typing import NamedTuple

import numpy as np

from mmwsis.structures.proposals import Proposals

from .proposals import points_in_proposals, proposal_candidates, proposal_jaccard


class ChosenProposals(NamedTuple):
    """A proposal for each of K objects.

    Attributes:
        index: (K,) int64, -1 where none overlaps.
        jaccard: (K,) float64 with it, 0 without.
        dice: (K,) float64, ``2 I / (A + B + 1)`` of the areas and their intersection.
    """

    index: np.ndarray
    jaccard: np.ndarray
    dice: np.ndarray


def choose_proposals(
    regions: np.ndarray,
    points: np.ndarray,
    proposals: Proposals,
    min_score: float = 0.5,
    restrict_to_point: bool = True,
    rank_by: str = 'jaccard',
) -> ChosenProposals:
    """Find for each region the proposal that overlaps it most.

    `WISE <https://arxiv.org/abs/1906.06392>`__, section 3.3. Overlaps are counted in
    run lengths.

    Args:
        regions: (K, H, W) bool, of the image as it is now.
        points: (K, 2) ``(x, y)``, the object of each region.
        proposals: N proposals.
        min_score: Candidates have a higher score. Defaults to 0.5.
        restrict_to_point: Whether candidates must cover the point. Defaults to True.
        rank_by: 'jaccard' (the paper) or 'dice'. Defaults to 'jaccard'.

    Returns:
        Of equal overlaps the proposal of the higher score.

    Raises:
        ValueError: Shapes do not fit, a point outside the image, or an unknown setting.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> region = np.array([[[False, True, False], [False, True, False]]])
        >>> found = choose_proposals(region, [[1, 0]], Proposals([rle], [0.9], (2, 3)))
        >>> found.index, found.jaccard, found.dice
        (array([0]), array([0.66666667]), array([0.66666667]))
    """
    regions = np.asarray(regions)
    if rank_by not in ('jaccard', 'dice'):
        raise ValueError(f"rank_by: expected 'jaccard' or 'dice', got {rank_by!r}.")
    hits = points_in_proposals(points, proposals)
    if len(hits) != len(regions):
        raise ValueError(
            f'regions, points: expected as many, got {len(regions)} and {len(hits)}.'
        )
    if not restrict_to_point:
        hits = np.ones_like(hits)
    candidates = proposal_candidates(hits, proposals.scores, min_score)
    some = np.flatnonzero(candidates.any(axis=0))
    jaccard = proposal_jaccard(regions, proposals[some]) * candidates[:, some]
    if not jaccard.size:
        nothing = np.zeros(len(regions))
        return ChosenProposals(np.full(len(regions), -1), nothing, nothing.copy())
    areas = regions.sum((1, 2))[:, None] + proposals[some].areas
    # The intersection is an integer: what the quotient lost comes back.
    common = np.rint(jaccard * areas / (1 + jaccard))
    dice = 2 * common / (areas + 1)
    overlap = jaccard if rank_by == 'jaccard' else dice
    rows, best = np.arange(len(regions)), overlap.argmax(axis=1)
    index = np.where(overlap[rows, best] > 0, some[best], -1)
    return ChosenProposals(index, jaccard[rows, best], dice[rows, best])


def oracle_objects(
    points: np.ndarray, labels: np.ndarray, gt_masks: np.ndarray, gt_labels: np.ndarray
) -> np.ndarray:
    """Find the known object that each point is on.

    For the upper bounds in Table 1 of `WISE <https://arxiv.org/abs/1906.06392>`__.

    Args:
        points: (K, 2) integers ``(x, y)``.
        labels: (K,) their classes.
        gt_masks: (M, H, W) bool, masks of known objects.
        gt_labels: (M,) their classes.

    Returns:
        (K,) int64, the first object of the point's class that contains it; -1 where
        there is none.

    Example:
        >>> masks = np.array([[[True, True]], [[True, False]]])
        >>> oracle_objects([[0, 0], [1, 0]], [1, 1], masks, [0, 1])
        array([ 1, -1])
    """
    points, gt_masks = np.asarray(points).reshape(-1, 2), np.asarray(gt_masks)
    x, y = points.T
    fits = gt_masks[:, y, x].T & (np.asarray(labels)[:, None] == np.asarray(gt_labels))
    if not fits.size:
        return np.full(len(points), -1)
    return np.where(fits.any(axis=1), fits.argmax(axis=1), -1)


def oracle_proposals(
    points: np.ndarray,
    labels: np.ndarray,
    gt_masks: np.ndarray,
    gt_labels: np.ndarray,
    proposals: Proposals,
    min_score: float = 0.5,
) -> ChosenProposals:
    """Find for each point the proposal that overlaps its known object most.

    "L-Net + Oracle" of `WISE <https://arxiv.org/abs/1906.06392>`__ (Table 1).

    Args:
        points: (K, 2) integers ``(x, y)``.
        labels: (K,) their classes.
        gt_masks: (M, H, W) bool, masks of known objects.
        gt_labels: (M,) their classes.
        proposals: N proposals.
        min_score: Candidates have a higher score. Defaults to 0.5.

    Returns:
        Proposals that cover the point, by their Dice with the object; -1 for a point on
        no object of its class.
    """
    objects = oracle_objects(points, labels, gt_masks, gt_labels)
    regions = np.zeros((len(objects), *proposals.size), bool)
    regions[objects >= 0] = np.asarray(gt_masks, bool)[objects[objects >= 0]]
    return choose_proposals(regions, points, proposals, min_score, rank_by='dice')
