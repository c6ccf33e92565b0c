"""Mask proposals against points, boxes and masks, without decoding them.

Points choose proposals in Laradji et al., *Instance Segmentation with Point
Supervision* (2019), boxes in Li, Arnab and Torr, *Weakly- and Semi-Supervised Panoptic
Segmentation* (2018).
"""

from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask

from mmwsis.structures.proposals import Proposals

from .tensor_checks import as_number


def points_in_proposals(points: np.ndarray, proposals: Proposals) -> np.ndarray:
    """Which proposals cover which points.

    A binary search in the run lengths for each pair. In a resized, cut or mirrored
    image the pixel of a point is looked up in the source; padding is covered by none.

    Args:
        points: (K, 2), (x, y) in pixels of the image as it is now; a pixel's index is
            the point in its middle.
        proposals: N proposals.

    Returns:
        ``hits``, (K, N) bool.

    Raises:
        ValueError: Not such an array, or a point outside the image.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> proposals = Proposals([rle], [0.9], (2, 3))
        >>> points_in_proposals(np.array([[0, 0], [1.4, 0.2]]), proposals)
        array([[False],
               [ True]])
    """
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 2 or points.dtype.kind not in 'iuf':
        raise ValueError(
            f'points: expected numbers (K, 2), got {points.dtype} of {points.shape}.'
        )
    height, width = proposals.size
    pixels = np.floor(points + 0.5)
    inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=1)
    if not inside.all():
        index = int(np.argmin(inside))
        raise ValueError(
            f'points: (x, y) {points[index].tolist()} of point {index} is outside the '
            f'image of {width} x {height} pixels.'
        )
    if proposals.grid is not None:
        pixels = proposals.grid.source_pixels(points)
    x, y = pixels.T.astype(np.int64)
    known = (x >= 0) & (y >= 0)
    hits = np.zeros((len(points), len(proposals)), bool)
    hits[known] = proposals.source_runs.at(x[known], y[known])
    return hits


def proposal_probabilities(hits: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Probability of drawing each proposal as the mask of each point.

    Proportional to the scores of those that cover the point, negative ones taken as 0;
    uniform where all of them are 0.

    Args:
        hits: (K, N) bool, of :func:`points_in_proposals`.
        scores: (N,) finite.

    Returns:
        (K, N) float64; rows sum to 1, or to 0 where no proposal covers the point.

    Example:
        >>> proposal_probabilities(np.array([[True, True, False]]), [0.6, 0.2, 0.9])
        array([[0.75, 0.25, 0.  ]])
    """
    hits, scores = _hits_and_scores(hits, scores)
    weights = hits * np.maximum(scores.astype(np.float64), 0)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, weights, hits)
    return weights / np.maximum(
        weights.sum(axis=1, keepdims=True), np.finfo(float).tiny
    )


def best_proposals(hits: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Proposal of the highest score that covers each point.

    Args:
        hits: (K, N) bool, of :func:`points_in_proposals`.
        scores: (N,) finite.

    Returns:
        (K,) int64; of equal scores the first; -1 where no proposal covers the point.

    Example:
        >>> hits = np.array([[True, True, True], [False, False, False]])
        >>> best_proposals(hits, [0.6, 0.9, 0.9])
        array([ 1, -1])
    """
    hits, scores = _hits_and_scores(hits, scores)
    if not len(scores):
        return np.full(len(hits), -1)
    best = np.where(hits, scores, -np.inf).argmax(axis=1)
    return np.where(hits.any(axis=1), best, -1)


def proposal_candidates(
    hits: np.ndarray,
    scores: np.ndarray,
    min_score: float = 0.5,
    single_point: bool = False,
) -> np.ndarray:
    """Proposals that may be the object of each point.

    The union of all of them is the foreground of the image, the rest its background:
    ``proposal_union(proposals[candidates.any(axis=0)])``.

    Args:
        hits: (K, N) bool, of :func:`points_in_proposals`.
        scores: (N,) finite.
        min_score: Candidates have a higher score. Defaults to 0.5.
        single_point: Whether proposals that cover several points are none. Defaults to
            False.

    Returns:
        (K, N) bool.

    Example:
        >>> hits = np.array([[True, True, True], [False, True, False]])
        >>> proposal_candidates(hits, [0.9, 0.8, 0.5], single_point=True)
        array([[ True, False, False],
               [False, False, False]])
    """
    hits, scores = _hits_and_scores(hits, scores)
    # In the precision of the scores: 0.6 in float32 is not above 0.6.
    allowed = scores > as_number('min_score', min_score)
    if single_point:
        allowed &= hits.sum(axis=0) == 1
    return hits & allowed


def proposal_union(proposals: Proposals) -> np.ndarray:
    """Pixels that any of the proposals covers.

    Args:
        proposals: N proposals, such as the candidates of all points; one mask is
            decoded.

    Returns:
        (H, W) bool, of the image as it is now.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> proposal_union(Proposals([rle], [0.9], (2, 3))).astype(int)
        array([[0, 1, 0],
               [1, 1, 0]])
    """
    if not len(proposals):
        return np.zeros(proposals.size, bool)
    union = coco_mask.decode(coco_mask.merge(list(proposals.rles))).astype(bool)
    return union if proposals.grid is None else proposals.grid.apply(union, fill=False)


def proposal_coverage(proposals: Proposals) -> np.ndarray:
    """How many of the proposals cover each pixel.

    Args:
        proposals: N proposals; none is decoded.

    Returns:
        (H, W) int64, of the image as it is now.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> proposal_coverage(Proposals([rle, rle], [0.9, 0.8], (2, 3)))
        array([[0, 2, 0],
               [2, 2, 0]])
    """
    height, width = proposals.size
    _, start, stop = proposals.current_runs.spans
    steps = np.bincount(start, minlength=height * width + 1)
    steps -= np.bincount(stop, minlength=height * width + 1)
    return np.ascontiguousarray(steps[:-1].cumsum().reshape(width, height).T)


def proposal_jaccard(masks: np.ndarray, proposals: Proposals) -> np.ndarray:
    """Jaccard index (IoU) of masks with proposals, such as the candidates of a point.

    Args:
        masks: (M, H, W) bool, of the image as it is now.
        proposals: N proposals.

    Returns:
        (M, N) float64; 0 where both are empty.

    Raises:
        ValueError: Masks of another size than the proposals.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> mask = np.array([[False, True, False], [False, True, False]])
        >>> proposal_jaccard(mask[None], Proposals([rle], [0.9], (2, 3)))
        array([[0.66666667]])
    """
    masks = np.asarray(masks)
    if masks.ndim != 3 or masks.shape[1:] != proposals.size:
        raise ValueError(
            f'masks: expected shape (M, {proposals.size[0]}, {proposals.size[1]}), got '
            f'{masks.shape}.'
        )
    if masks.dtype != bool:
        raise TypeError(f'masks: expected booleans, got {masks.dtype}.')
    if not masks.size or not len(proposals):
        return np.zeros((len(masks), len(proposals)))
    columns_first = np.asfortranarray(masks.transpose(1, 2, 0), np.uint8)
    rles, others = coco_mask.encode(columns_first), list(proposals.current_rles)
    return coco_mask.iou(rles, others, [0] * len(others))


def proposal_boxes(proposals: Proposals) -> np.ndarray:
    """Tight boxes.

    Args:
        proposals: N proposals.

    Returns:
        (N, 4) int64, ``x0, y0, x1, y1`` in pixels of the image as it is now, without
        row ``y1`` and column ``x1``; zeros for a mask without a pixel.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> proposal_boxes(Proposals([rle], [0.9], (2, 3)))
        array([[0, 0, 2, 2]])
    """
    if not len(proposals) or not min(proposals.size):
        return np.zeros((len(proposals), 4), np.int64)
    boxes = coco_mask.toBbox(list(proposals.current_rles)).astype(np.int64)
    boxes[:, 2:] += boxes[:, :2]
    boxes[(boxes[:, 2:] == boxes[:, :2]).any(axis=1)] = 0
    return boxes


def match_boxes_to_proposals(
    boxes: np.ndarray, proposals: Proposals, overlap: Literal['box', 'mask'] = 'box'
) -> np.ndarray:
    """Proposal that fits each box best.

    Args:
        boxes: (B, 4) integers, ``x0, y0, x1, y1`` in pixels of the image as it is now,
            without row ``y1`` and column ``x1``.
        proposals: N proposals.
        overlap: 'box' compares with the tight box of a proposal, 'mask' the filled box
            with its mask; both by IoU. Defaults to 'box'.

    Returns:
        (B,) int64; of equal ones the higher score, then the first; -1 where none
        overlaps.

    Raises:
        ValueError: An unknown overlap, or no such boxes.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> boxes = np.array([[0, 0, 2, 1], [2, 0, 3, 2]])
        >>> match_boxes_to_proposals(boxes, Proposals([rle], [0.9], (2, 3)))
        array([ 0, -1])
    """
    boxes = np.asarray(boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in 'iu':
        raise ValueError(
            f'boxes: expected integers (B, 4), got {boxes.dtype} of {boxes.shape}.'
        )
    if overlap not in ('box', 'mask'):
        raise ValueError(f"overlap: expected 'box' or 'mask', got {overlap!r}.")
    if not len(boxes) or not len(proposals):
        return np.full(len(boxes), -1)
    boxes = boxes.astype(np.int64)
    if overlap == 'box':
        iou = _box_iou(boxes, proposal_boxes(proposals))
    else:
        y, x = np.ogrid[: proposals.size[0], : proposals.size[1]]
        filled = [
            (y >= y0) & (y < y1) & (x >= x0) & (x < x1) for x0, y0, x1, y1 in boxes
        ]
        iou = proposal_jaccard(np.stack(filled), proposals)
    best = iou.argmax(axis=1)  # Proposals are in the order of their scores.
    return np.where(iou.max(axis=1) > 0, best, -1)


def _box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of (B, 4) with (N, 4) boxes, 0 without a common pixel."""
    upper = np.maximum(boxes[:, None, :2], others[None, :, :2])
    lower = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.maximum(lower - upper, 0).prod(axis=-1)
    areas = [np.maximum(b[:, 2:] - b[:, :2], 0).prod(axis=1) for b in (boxes, others)]
    union = areas[0][:, None] + areas[1][None] - common
    return common / np.maximum(union, 1)


def _hits_and_scores(hits: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    hits, scores = np.asarray(hits), np.asarray(scores)
    if hits.dtype != bool:
        raise TypeError(f'hits: expected booleans, got {hits.dtype}.')
    if hits.ndim != 2 or scores.shape != hits.shape[1:]:
        raise ValueError(
            f'hits, scores: expected shapes (K, N) and (N,), got {hits.shape} and '
            f'{scores.shape}.'
        )
    if scores.dtype.kind not in 'iuf' or not np.isfinite(scores).all():
        raise ValueError(f'scores: expected finite numbers, got {scores}.')
    return hits, scores
