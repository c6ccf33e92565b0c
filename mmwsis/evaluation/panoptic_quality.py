"""Panoptic quality by the official rules, void and crowd regions included."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmwsis.formats.panoptic_files import check_segments
from mmwsis.formats.segment_maps import VOID


class Quality(NamedTuple):
    """PQ, SQ and RQ, 0 to 1, and how many categories they are the mean of.

    All NaN and ``categories`` 0 where no category occurs.
    """

    pq: float
    sq: float
    rq: float
    categories: int


def panoptic_counts(
    gt_map: np.ndarray,
    pred_map: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    pred_segments: Sequence[Mapping[str, Any]],
    category_ids: Sequence[int],
    where: str = 'image',
) -> np.ndarray:
    """Count right, wrong and missed segments of one image.

    A predicted and a ground-truth segment of one category match if their IoU exceeds
    0.5, the union being without the predicted void pixels. Crowd segments match
    nothing and are not missed. A prediction without a match is no error if more than
    half of it lies on void and on the last listed crowd segment of its category.

    Source: Kirillov et al., Panoptic Segmentation, CVPR 2019, and its evaluation code.

    Args:
        gt_map: ``(H, W)`` integer segment ids, 0 is void.
        pred_map: Same shape.
        gt_segments: ``segments_info`` of COCO: ``id``, ``category_id`` and optionally
            ``iscrowd``, ``area`` (counted where it is absent). An id in the map that
            is not listed counts in unions only.
        pred_segments: ``id`` and ``category_id``.
        category_ids: C ids.
        where: Names the image in messages.

    Returns:
        ``(C, 4)`` float64: true positives, false positives, false negatives, and the
        sum of the IoUs of the true positives.

    Raises:
        ValueError: Maps of different shapes, a category that is not in
            ``category_ids``, or ``pred_segments`` and ``pred_map`` do not agree.
    """
    if gt_map.shape != pred_map.shape:
        raise ValueError(
            f'{where}: the prediction has (height, width) {pred_map.shape}, the ground '
            f'truth {gt_map.shape}. Predictions must be at the size of the original '
            'image.'
        )
    gt_ids, pred_ids, shared = joint_areas(gt_map, pred_map)
    gt = _segments(gt_segments, category_ids, f'{where}, ground truth')
    pred = _segments(pred_segments, category_ids, f'{where}, prediction')
    _check_listed(pred.ids, pred_ids, where)
    # Rows of the joint table in the order of the lists; ids only in a map are left out.
    inter = _rows(_rows(shared, gt_ids, gt.ids).T, pred_ids, pred.ids).T
    pred_area = _rows(shared.sum(axis=0)[:, None], pred_ids, pred.ids)[:, 0]
    gt_area = _rows(shared.sum(axis=1)[:, None], gt_ids, gt.ids)[:, 0]
    gt_area = np.where(np.isnan(gt.area), gt_area, gt.area)
    void = _rows(_rows(shared, gt_ids, np.array([VOID])).T, pred_ids, pred.ids)[:, 0]
    union = gt_area[:, None] + pred_area[None] - inter - void[None]
    iou = inter / np.maximum(union, 1)
    same = gt.category[:, None] == pred.category[None]
    matched = (iou > 0.5) & same & ~gt.crowd[:, None]
    crowd = _crowd_pixels(gt, pred, inter)
    missed = ~gt.crowd & ~matched.any(axis=1)
    judged = (void + crowd) / np.maximum(pred_area, 1) <= 0.5
    wrong = ~matched.any(axis=0) & judged
    rows, columns = np.nonzero(matched)
    size = len(category_ids)
    return np.stack(
        [
            np.bincount(gt.category[rows], minlength=size),
            np.bincount(pred.category[wrong], minlength=size),
            np.bincount(gt.category[missed], minlength=size),
            np.bincount(gt.category[rows], iou[rows, columns], minlength=size),
        ],
        axis=1,
    ).astype(np.float64)


def joint_areas(
    first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many pixels the segments of two maps share.

    Runs of equal pixels are counted as one, which is why this takes a tenth of sorting
    all pixels.

    Args:
        first: ``(H, W)`` integers, 0 to 2**31 - 1.
        second: Same shape.

    Returns:
        Values of the first map ``(A,)`` and of the second ``(B,)``, ascending, and
        ``(A, B)`` int64 pixels.
    """
    joint = (first.astype(np.int64) << 32 | second.astype(np.int64)).ravel()
    if not len(joint):
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, np.zeros((0, 0), dtype=np.int64)
    starts = np.concatenate([[0], np.flatnonzero(joint[1:] != joint[:-1]) + 1])
    lengths = np.diff(np.append(starts, len(joint)))
    values = joint[starts]
    first_values, rows = np.unique(values >> 32, return_inverse=True)
    second_values, columns = np.unique(values & 0xFFFFFFFF, return_inverse=True)
    shape = len(first_values), len(second_values)
    table = np.bincount(
        rows * shape[1] + columns, weights=lengths, minlength=shape[0] * shape[1]
    )
    return first_values, second_values, table.reshape(shape).astype(np.int64)


class _Segments(NamedTuple):
    ids: np.ndarray
    category: np.ndarray
    crowd: np.ndarray
    area: np.ndarray


def _segments(
    listed: Sequence[Mapping[str, Any]], category_ids: Sequence[int], where: str
) -> _Segments:
    position = {category: index for index, category in enumerate(category_ids)}
    check_segments(listed, position, where)
    ids = np.array([segment['id'] for segment in listed], dtype=np.int64)
    category = [position[segment['category_id']] for segment in listed]
    return _Segments(
        ids=ids,
        category=np.array(category, dtype=np.int64),
        crowd=np.array([bool(one.get('iscrowd')) for one in listed], dtype=bool),
        area=np.array([one.get('area', np.nan) for one in listed], dtype=np.float64),
    )


def _check_listed(listed: np.ndarray, in_map: np.ndarray, where: str) -> None:
    unlisted = np.setdiff1d(in_map, np.append(listed, VOID))
    if len(unlisted):
        raise ValueError(
            f'{where}: the predicted map has the segment ids {unlisted[:5].tolist()}, '
            'which segments_info does not list; 0 is void.'
        )
    absent = np.setdiff1d(listed, in_map)
    if len(absent):
        raise ValueError(
            f'{where}: segments_info of the prediction lists the ids '
            f'{absent[:5].tolist()}, which the map does not have.'
        )


def _rows(table: np.ndarray, ids: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows of a table by their ids; zeros for ids that it does not have."""
    if not len(ids):
        return np.zeros((len(wanted), table.shape[1]), dtype=table.dtype)
    index = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where((ids[index] == wanted)[:, None], table[index], 0)


def _crowd_pixels(gt: _Segments, pred: _Segments, inter: np.ndarray) -> np.ndarray:
    """Pixels of every prediction on the crowd segment of its category."""
    # The official code remembers the last listed crowd segment of a category only.
    last = {gt.category[row]: row for row in np.flatnonzero(gt.crowd)}
    rows = np.array([last.get(category, -1) for category in pred.category], dtype=int)
    pixels = np.zeros(len(rows))
    has = rows >= 0
    pixels[has] = inter[rows[has], np.flatnonzero(has)]
    return pixels


def category_quality(counts: np.ndarray) -> np.ndarray:
    """PQ, SQ and RQ of every category.

    ``PQ = sum of IoU / (TP + FP / 2 + FN / 2)``, ``SQ = sum of IoU / TP`` (0 without a
    true positive), ``RQ = TP / (TP + FP / 2 + FN / 2)``.

    Args:
        counts: ``(C, 4)``, summed over all images.

    Returns:
        ``(C, 3)``, 0 to 1; NaN where a category occurs neither in the ground truth nor
        in the predictions.
    """
    tp, fp, fn, iou = np.asarray(counts, dtype=np.float64).T
    total = tp + fp / 2 + fn / 2
    occurs = total > 0
    total = np.where(occurs, total, 1)
    quality = np.stack([iou / total, iou / np.maximum(tp, 1), tp / total], axis=1)
    return np.where(occurs[:, None], quality, np.nan)


def mean_quality(counts: np.ndarray, selected: Iterable[bool] | None = None) -> Quality:
    """Mean over the categories that occur.

    Args:
        counts: ``(C, 4)``, summed over all images.
        selected: C flags, such as "is a thing"; ``None`` takes all.

    Returns:
        The mean.
    """
    quality = category_quality(counts)
    if selected is not None:
        quality = quality[np.asarray(list(selected), dtype=bool)]
    quality = quality[~np.isnan(quality[:, 0])]
    if not len(quality):
        return Quality(float('nan'), float('nan'), float('nan'), 0)
    return Quality(*quality.mean(axis=0).tolist(), len(quality))


def quality_figures(counts: np.ndarray, is_thing: Sequence[bool]) -> dict[str, float]:
    """PQ, SQ and RQ under the names that metrics report.

    Args:
        counts: ``(C, 4)`` of :func:`panoptic_counts`, summed over all images.
        is_thing: C flags.

    Returns:
        ``PQ``, ``SQ``, ``RQ``, of things ``PQ_th`` and so on, of stuff ``PQ_st``.
    """
    things = np.asarray(is_thing, dtype=bool)
    figures = {}
    for suffix, selected in (('', None), ('_th', things), ('_st', ~things)):
        quality = mean_quality(counts, selected)
        for name, value in zip(('PQ', 'SQ', 'RQ'), quality):
            figures[name + suffix] = value
    return figures
