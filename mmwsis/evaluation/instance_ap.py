"""Average precision of instance masks by the rules of VOC and of Cityscapes.

Both need of a prediction only its score, its class and the object that it overlaps
most, so the images are gone through once, whatever the number of thresholds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Detections(NamedTuple):
    """Predictions of a dataset, matched to their objects.

    Attributes:
        score: ``(N,)`` float.
        label: ``(N,)`` int, the class.
        iou: ``(N,)`` float, largest overlap with an object of the class; -1 if none.
        obj: ``(N,)`` int64, number of that object in the dataset; -1 if there is none
            or it is one that does not count (Cityscapes: a group, a small object).
        ignored: ``(N,)`` float, share of the prediction on pixels that are not judged;
            used by the rules of Cityscapes.
    """

    score: np.ndarray
    label: np.ndarray
    iou: np.ndarray
    obj: np.ndarray
    ignored: np.ndarray


def voc_ap_table(
    found: Detections, gt_count: np.ndarray, thresholds: Sequence[float]
) -> np.ndarray:
    """AP of every class at every threshold, VOC 2010 and later (AP^r).

    Predictions of a class are sorted by score, equal ones in the order given. Each
    takes the object it overlaps most; it is right if the IoU reaches the threshold and
    no better-scored prediction has taken that object, otherwise wrong: there is no
    second choice. AP is the area below the monotone envelope of precision over recall.

    Source: Hariharan et al., Simultaneous Detection and Segmentation, ECCV 2014, and
    the evaluation that IRNet and BESTIE call.

    Args:
        found: Predictions.
        gt_count: ``(C,)`` number of objects of every class.
        thresholds: T IoUs.

    Returns:
        ``(C, T)`` float64; NaN for classes without an object.
    """
    table = np.full((len(gt_count), len(thresholds)), np.nan)
    for label, count in enumerate(gt_count):
        if not count:
            continue
        own = _of_class(found, label)
        for column, threshold in enumerate(thresholds):
            hits = _first_of_object(own.obj, own.iou >= threshold)
            table[label, column] = envelope_ap(hits, int(count))
    return table


def envelope_ap(hits: np.ndarray, num_objects: int) -> float:
    """Area below the monotone envelope of precision over recall.

    Args:
        hits: ``(N,)`` bool, whether each prediction is right, best score first.
        num_objects: How many there are to find, at least 1.

    Returns:
        AP, 0 to 1; 0 without a prediction.
    """
    if not len(hits):
        return 0.0
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    # Recall grows by one object's share at every hit and stands still elsewhere.
    return float(envelope[hits].sum() / num_objects)


def cityscapes_ap_table(
    found: Detections, gt_count: np.ndarray, thresholds: Sequence[float]
) -> np.ndarray:
    """AP of every class at every threshold, as the Cityscapes benchmark counts.

    The IoU has to *exceed* the threshold; of several predictions on one object the
    best-scored is right and the others wrong. A prediction that overlaps no object
    that much is left out if more than the threshold's share of it lies on void, on a
    group of its class or on an object below the least size. AP integrates precision
    itself, without an envelope, by trapezoids whose last point is (recall 0,
    precision 1).

    Source: instance-level task of cityscapesScripts.

    Args:
        found: Predictions.
        gt_count: ``(C,)`` number of objects that count, of every class.
        thresholds: T IoUs, at least 0.5: below, one prediction could match two objects.

    Returns:
        ``(C, T)`` float64; NaN for classes without an object that counts.

    Raises:
        ValueError: A threshold below 0.5.
    """
    if min(thresholds) < 0.5:
        raise ValueError(
            'The rules of Cityscapes are defined for IoU thresholds from 0.5 on; got '
            f"{min(thresholds)}. Use rules='voc' for lower ones."
        )
    table = np.full((len(gt_count), len(thresholds)), np.nan)
    for label, count in enumerate(gt_count):
        if not count:
            continue
        own = _of_class(found, label)
        for column, threshold in enumerate(thresholds):
            over = own.iou > threshold
            hits = _first_of_object(own.obj, over & (own.obj >= 0))
            kept = np.where(over, own.obj >= 0, own.ignored <= threshold)
            table[label, column] = _trapezoid_ap(
                own.score[kept], hits[kept], int(count)
            )
    return table


def _of_class(found: Detections, label: int) -> Detections:
    """Predictions of one class, best score first; equal ones in the order given."""
    index = np.flatnonzero(found.label == label)
    order = index[np.argsort(-found.score[index], kind='stable')]
    return Detections(*(column[order] for column in found))


def _first_of_object(obj: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """Which candidates are the first on their object."""
    index = np.flatnonzero(candidate)
    hits = np.zeros(len(obj), dtype=bool)
    hits[index[np.unique(obj[index], return_index=True)[1]]] = True
    return hits


def _trapezoid_ap(score: np.ndarray, hits: np.ndarray, num_objects: int) -> float:
    if not len(score):
        return 0.0
    right = np.cumsum(hits)
    # One point a distinct score: all predictions from the best down to that score.
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))
    precision = np.concatenate([[1.0], right[last] / (last + 1)])
    recall = np.concatenate([[0.0], right[last] / num_objects])
    padded = np.concatenate([[0.0], recall, recall[-1:]])
    return float(precision @ ((padded[2:] - padded[:-2]) / 2))


def mean_over_classes(table: np.ndarray) -> np.ndarray:
    """Mean over the classes that have objects.

    Args:
        table: ``(C, ...)``, NaN for classes without one.

    Returns:
        ``(...)``; NaN if no class has any.
    """
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    total = np.where(known, table, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
