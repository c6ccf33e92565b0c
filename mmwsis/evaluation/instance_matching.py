"""What of one image's predictions and objects average precision depends on."""

from typing import NamedTuple

import numpy as np

from .instance_ground_truth import ImageObjects, crowds_as_void
from .mask_overlap import Overlaps, best_of_class, mask_overlaps
from .predicted_instances import PredictedInstances


class ImageMatch(NamedTuple):
    """Predictions of one image, matched to its objects.

    Small, whatever the size of the image, because ranks send it to each other.

    Attributes:
        score: ``(P,)`` float64.
        label: ``(P,)`` int64.
        iou: ``(P,)`` largest IoU with an object of the class, void in the union; -1 if
            there is none.
        obj: ``(P,)`` index of that object in the image; -1 if it does not count.
        void_free_iou: ``(P,)`` the same with void pixels taken out; -2 for predictions
            that have no others.
        void_free_obj: ``(P,)``.
        ignored: ``(P,)`` share on void, groups and small objects (Cityscapes).
        gt_label: ``(G,)`` int64, of the objects that count.
        gt_best: ``(G,)`` largest IoU with a prediction of the class, 0 if none.
    """

    score: np.ndarray
    label: np.ndarray
    iou: np.ndarray
    obj: np.ndarray
    void_free_iou: np.ndarray
    void_free_obj: np.ndarray
    ignored: np.ndarray
    gt_label: np.ndarray
    gt_best: np.ndarray


def match_image(
    pred: PredictedInstances,
    truth: ImageObjects,
    rules: str = 'voc',
    min_region: int = 100,
) -> ImageMatch:
    """Find for every prediction the object that it overlaps most.

    Args:
        pred: Predictions of the image. Empty masks match nothing; for 'cityscapes'
            they are dropped, as the benchmark does.
        truth: Its objects.
        rules: 'voc' or 'cityscapes'.
        min_region: Least pixels of an object that counts, for 'cityscapes'.

    Returns:
        The matches.
    """
    if rules == 'voc':
        truth = crowds_as_void(truth)
    overlaps = mask_overlaps(pred.masks, truth.masks, truth.void)
    counts = ~truth.crowd
    if rules == 'cityscapes':
        small = overlaps.gt_area < min_region
        return _cityscapes_match(pred, truth, overlaps, counts & ~small, small)
    iou = overlaps.iou(remove_void=False)
    best, obj = best_of_class(iou, pred.labels, truth.labels)
    free, free_obj = best_of_class(
        overlaps.iou(remove_void=True), pred.labels, truth.labels
    )
    nothing_left = overlaps.pred_area == overlaps.pred_void
    return ImageMatch(
        score=pred.scores,
        label=pred.labels,
        iou=best,
        obj=obj,
        void_free_iou=np.where(nothing_left, -2.0, free),
        void_free_obj=free_obj,
        ignored=np.zeros(len(best)),
        gt_label=truth.labels,
        gt_best=_best_overlaps(iou, pred.labels, truth.labels),
    )


def _cityscapes_match(
    pred: PredictedInstances,
    truth: ImageObjects,
    overlaps: Overlaps,
    counts: np.ndarray,
    small: np.ndarray,
) -> ImageMatch:
    iou = overlaps.iou(remove_void=False)
    best, obj = best_of_class(iou, pred.labels, truth.labels)
    # Groups and small objects overlap a prediction like any other object, but count
    # for nobody. The benchmark counts a group that is small twice, and so is it here.
    own_class = pred.labels[:, None] == truth.labels[None]
    weight = truth.crowd.astype(np.int64) + small
    unjudged = overlaps.pred_void + (overlaps.intersection * own_class) @ weight
    number = np.where(counts, np.cumsum(counts) - 1, -1)
    match = ImageMatch(
        score=pred.scores,
        label=pred.labels,
        iou=best,
        obj=np.where(obj >= 0, np.append(number, -1)[obj], -1),
        void_free_iou=best,
        void_free_obj=obj,
        ignored=unjudged / np.maximum(overlaps.pred_area, 1),
        gt_label=truth.labels[counts],
        gt_best=_best_overlaps(iou, pred.labels, truth.labels)[counts],
    )
    seen = overlaps.pred_area > 0
    return ImageMatch(*(column[seen] for column in match[:7]), *match[7:])


def _best_overlaps(
    iou: np.ndarray, pred_labels: np.ndarray, gt_labels: np.ndarray
) -> np.ndarray:
    best, _ = best_of_class(iou.T, gt_labels, pred_labels)
    return np.maximum(best, 0.0)
