"""Tables of class and threshold from the matches of all images."""

from collections.abc import Sequence

import numpy as np

from .instance_ap import Detections, cityscapes_ap_table, voc_ap_table
from .instance_matching import ImageMatch

RULES = ('voc', 'cityscapes')
APR_VOL_VOC = tuple(step / 10 for step in range(1, 10))
FROM_50_TO_95 = tuple(step / 100 for step in range(50, 100, 5))


def instance_tables(
    matches: Sequence[ImageMatch],
    num_classes: int,
    rules: str = 'voc',
    iou_thrs: Sequence[float] = (0.25, 0.5, 0.7, 0.75),
    apr_thrs: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9),
) -> dict[str, np.ndarray]:
    """Figures of every class.

    Args:
        matches: One entry per image, of :func:`match_image` with the same rules.
        num_classes: C.
        rules: 'voc' or 'cityscapes'.
        iou_thrs: Thresholds of ``AP<percent>``; 'cityscapes' leaves out those below
            0.5, for which it has no rule.
        apr_thrs: Thresholds of ``APr_<percent>``, for 'voc'.

    Returns:
        Name of a figure -> ``(C,)`` float64, NaN for classes without an object; names
        as :class:`VOCInstanceMetric` reports them.
    """
    if not matches:
        matches = [_nothing()]
    gt_label = np.concatenate([match.gt_label for match in matches])
    gt_count = np.bincount(gt_label, minlength=num_classes)
    counted = detections(matches)
    tables: dict[str, np.ndarray] = {}
    if rules == 'cityscapes':
        tables['AP'] = cityscapes_ap_table(counted, gt_count, FROM_50_TO_95).mean(1)
        iou_thrs = [value for value in iou_thrs if value >= 0.5]
        if iou_thrs:
            values = cityscapes_ap_table(counted, gt_count, iou_thrs)
            tables.update(_named('AP', iou_thrs, values))
    else:
        values = voc_ap_table(counted, gt_count, iou_thrs)
        tables.update(_named('AP', iou_thrs, values))
        free = detections(matches, void_free=True)
        tables.update(_named('APr_', apr_thrs, voc_ap_table(free, gt_count, apr_thrs)))
        for name, steps in (('APr_vol', APR_VOL_VOC), ('APr_vol_50_95', FROM_50_TO_95)):
            tables[name] = voc_ap_table(free, gt_count, steps).mean(axis=1)
    gt_best = np.concatenate([match.gt_best for match in matches])
    total = np.bincount(gt_label, weights=gt_best, minlength=num_classes)
    average = total / np.maximum(gt_count, 1)
    tables['ABO'] = np.where(gt_count > 0, average, np.nan)
    return tables


def detections(matches: Sequence[ImageMatch], void_free: bool = False) -> Detections:
    """Predictions of all images, objects numbered through.

    Args:
        matches: One entry per image.
        void_free: Use the overlaps without void pixels, and drop predictions that have
            no others.

    Returns:
        They.
    """
    counts = [len(match.gt_label) for match in matches]
    before = np.concatenate([[0], np.cumsum(counts)[:-1]])
    obj = [match.void_free_obj if void_free else match.obj for match in matches]
    iou = [match.void_free_iou if void_free else match.iou for match in matches]
    found = Detections(
        score=np.concatenate([match.score for match in matches]),
        label=np.concatenate([match.label for match in matches]),
        iou=np.concatenate(iou),
        obj=np.concatenate(
            [np.where(own >= 0, own + shift, -1) for own, shift in zip(obj, before)]
        ),
        ignored=np.concatenate([match.ignored for match in matches]),
    )
    kept = found.iou > -2
    return Detections(*(column[kept] for column in found))


def _named(
    prefix: str, thresholds: Sequence[float], values: np.ndarray
) -> dict[str, np.ndarray]:
    # 62.5 is written 62.5 and 70.0 (70 % has a rounding error as a float) as 70.
    names = [f'{prefix}{round(100 * value, 4):g}' for value in thresholds]
    return dict(zip(names, values.T))


def _nothing() -> ImageMatch:
    number, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    return ImageMatch(
        number, whole, number, whole, number, whole, number, whole, number
    )
