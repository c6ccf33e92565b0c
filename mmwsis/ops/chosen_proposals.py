"""The proposal that fits a region, or a known object, best (WISE)."""

from typing import NamedTuple

import numpy as np

from mmwsis.structures.proposals import Proposals

from .proposals import points_in_proposals, proposal_candidates, proposal_jaccard


class ChosenProposals(NamedTuple):
    """A proposal for each of K objects.

    Attributes:
        index: (K,) int64, -1 where no candidate overlaps.
        jaccard: (K,) float64, the overlap with it; 0 without.
        dice: (K,) float64, ``2 I / (A + B + 1)`` of the areas and their intersection,
            which WISE takes as the score of a detection; 0 without.
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
        points: (K, 2), (x, y) of the object of each region, in pixels.
        proposals: N proposals.
        min_score: Candidates have a higher score. Defaults to 0.5.
        restrict_to_point: Whether candidates must cover the point. Defaults to True.
        rank_by: 'jaccard' (the paper) or 'dice'. Defaults to 'jaccard'.

    Returns:
        Of equal overlaps the proposal of the higher score.

    Raises:
        ValueError: Regions that are not bool or do not fit, a point outside the image,
            or an unknown setting.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> region = np.array([[[False, True, False], [False, True, False]]])
        >>> found = choose_proposals(region, [[1, 0]], Proposals([rle], [0.9], (2, 3)))
        >>> found.index, found.jaccard, found.dice
        (array([0]), array([0.66666667]), array([0.66666667]))
    """
    if rank_by not in ('jaccard', 'dice'):
        raise ValueError(f"rank_by: expected 'jaccard' or 'dice', got {rank_by!r}.")
    regions = np.asarray(regions)
    hits = points_in_proposals(points, proposals)
    shape = (len(hits), *proposals.size)
    if regions.shape != shape or regions.dtype != bool:
        raise ValueError(
            f'regions: expected booleans of shape {shape}, one per point, got '
            f'{regions.dtype} of {regions.shape}.'
        )
    if not restrict_to_point:
        hits = np.ones_like(hits)
    candidates = proposal_candidates(hits, proposals.scores, min_score)
    some = np.flatnonzero(candidates.any(axis=0))
    jaccard = proposal_jaccard(regions, proposals[some]) * candidates[:, some]
    if not jaccard.size:
        none = np.full(len(regions), -1)
        return ChosenProposals(none, np.zeros(len(regions)), np.zeros(len(regions)))
    areas = regions.sum((1, 2))[:, None] + proposals[some].areas
    # An intersection is an integer, which rounding recovers from the quotient.
    dice = 2 * np.rint(jaccard * areas / (1 + jaccard)) / (areas + 1)
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
        points: (K, 2) integers ``(x, y)``, pixels.
        labels: (K,) integers, their classes.
        gt_masks: (M, H, W) masks of the known objects, bool or 0 and 1.
        gt_labels: (M,) integers, their classes.

    Returns:
        (K,) int64, the first object of the point's class that contains it; -1 where
        there is none.

    Raises:
        ValueError: Fractions, shapes that do not fit, or a point outside the masks.

    Example:
        >>> masks = np.array([[[True, True]], [[True, False]]])
        >>> oracle_objects([[0, 0], [1, 0]], [1, 1], masks, [0, 1])
        array([ 1, -1])
    """
    points, labels = np.asarray(points, order='C'), np.asarray(labels)
    gt_masks, gt_labels = np.asarray(gt_masks), np.asarray(gt_labels)
    for name, array, shape, kinds in (
        ('points', points, (len(points), 2), 'iu'),
        ('labels', labels, (len(points),), 'iu'),
        ('gt_masks', gt_masks, (len(gt_masks), *gt_masks.shape[-2:]), 'biu'),
        ('gt_labels', gt_labels, (len(gt_masks),), 'iu'),
    ):
        # An empty list has no type to speak of.
        if array.shape != shape or (array.size and array.dtype.kind not in kinds):
            raise ValueError(
                f'{name}: expected integers of shape {shape}, got {array.dtype} of '
                f'{array.shape}.'
            )
    if not len(points) or not len(gt_masks):
        return np.full(len(points), -1)
    if (points < 0).any() or (points >= gt_masks.shape[:0:-1]).any():
        raise ValueError(
            f'points: expected pixels (x, y) within masks of (height, width) '
            f'{gt_masks.shape[1:]}, got up to {points.max(axis=0).tolist()}.'
        )
    x, y = points.T
    fits = (gt_masks[:, y, x].T != 0) & (labels[:, None] == gt_labels)
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

    The row "L-Net + Oracle" of Table 1 of `WISE <https://arxiv.org/abs/1906.06392>`__:
    candidates cover the point, and Dice decides.

    Args:
        points: (K, 2) integers ``(x, y)``, pixels.
        labels: (K,) integers, their classes.
        gt_masks: (M, H, W) masks of the known objects, bool or 0 and 1.
        gt_labels: (M,) integers, their classes.
        proposals: N proposals.
        min_score: Candidates have a higher score. Defaults to 0.5.

    Returns:
        As :func:`choose_proposals`; -1 also for a point on no object of its class.

    Raises:
        ValueError: Fractions, shapes that do not fit, or a point outside the image.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> proposals = Proposals([rle], [0.9], (2, 3))
        >>> masks = np.array([[[False, True, False], [False, True, False]]])
        >>> oracle_proposals([[1, 0], [1, 1]], [4, 5], masks, [4], proposals).index
        array([ 0, -1])
    """
    objects = oracle_objects(points, labels, gt_masks, gt_labels)
    regions = np.zeros((len(objects), *proposals.size), bool)
    known = objects >= 0
    regions[known] = np.asarray(gt_masks)[objects[known]]
    return choose_proposals(regions, points, proposals, min_score, rank_by='dice')
