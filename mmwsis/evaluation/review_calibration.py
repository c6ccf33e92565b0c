"""How well a review list finds bad labels, measured where true masks are known."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from scipy.stats import rankdata

from mmwsis.formats.coco_file import annotations_by_image, load_coco
from mmwsis.formats.coco_masks import check_segmentation, checked_rle
from mmwsis.structures import annotation_place
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table

from .compare_files import check_same_classes, shared_images
from .label_confidence import (
    GOOD_IOUS,
    VIEW_SIGNALS,
    confidences,
    fit_rule,
    other_names,
)
from .label_signals import Signals

SHARES = (0.1, 0.2)
# Signals of which a high value is a bad sign.
_BAD_IF_HIGH = ('parts', 'border', 'overlap')
# What is expected of it.
RANDOM = {
    key: value
    for iou in GOOD_IOUS
    for key, value in (
        (f'auc_{iou}', 0.5),
        *((f'found_{iou}_{share}', share) for share in SHARES),
    )
}


def label_ious(
    labels: Mapping[str, Any], path: str, gt_path: str | os.PathLike, matched: bool
) -> dict[Any, float]:
    """IoU of every label with its object.

    Args:
        labels: COCO JSON of pseudo labels.
        path: Its file, for messages.
        gt_path: COCO JSON with masks of (some of) the same images.
        matched: Labels have ids of their own: each is compared with the object of its
            class that it overlaps most. Otherwise with the object of its id.

    Returns:
        Annotation id -> IoU, 0 without an object; of the labels on images of the ground
        truth, without crowds and, matched by id, without those that have no object.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The files are about other images, classes or ids, or a mask is
            broken.
    """
    gt = load_coco(str(gt_path), 'masks')
    images = shared_images(labels, gt, Path(path), Path(gt_path))
    own, names = ({c['id']: c['name'] for c in x['categories']} for x in (labels, gt))
    check_same_classes(own, names, path, gt_path)
    by_image, objects = annotations_by_image(labels), annotations_by_image(gt)
    found: dict[Any, float] = {}
    for image_id, image in images.items():
        size = image['height'], image['width']
        truths = [one for one in objects[image_id] if not one.get('iscrowd')]
        ours = [one for one in by_image[image_id] if not one.get('iscrowd')]
        found.update(_image_ious(ours, truths, size, (path, str(gt_path)), matched))
    if not found:
        raise ValueError(
            f'{path} and {gt_path} share no annotation id, by which labels find their '
            'objects. Give the ground truth that the weak labels were made from.'
        )
    return found


def _image_ious(
    ours: Sequence[Mapping[str, Any]],
    truths: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    paths: tuple[str, str],
    matched: bool,
) -> dict[Any, float]:
    if not ours or not truths:
        return {one['id']: 0.0 for one in ours} if matched else {}
    rles = []
    for annotations, path in ((ours, paths[0]), (truths, paths[1])):
        for one in annotations:
            where = annotation_place(path, one)
            check_segmentation(one.get('segmentation'), size, where)
        rles.append([checked_rle(one['segmentation'], *size) for one in annotations])
    ious = np.nan_to_num(coco_mask.iou(*rles, [0] * len(truths)))
    if matched:
        classes = [[str(one['category_id']) for one in x] for x in (ours, truths)]
        same = np.array(classes[0])[:, None] == np.array(classes[1])[None]
        best = np.where(same, ious, 0).max(axis=1).tolist()
        return {one['id']: iou for one, iou in zip(ours, best)}
    column = {one['id']: index for index, one in enumerate(truths)}
    return {
        one['id']: float(ious[row, column[one['id']]])
        for row, one in enumerate(ours)
        if one['id'] in column
    }


def ranking_quality(goodness: np.ndarray, ious: np.ndarray) -> dict[str, float | None]:
    """How well an order finds bad labels.

    Args:
        goodness: ``(N,)``, low: looked at first; equal ones in random order.
        ious: ``(N,)`` IoU with the true masks.

    Returns:
        For 0.5 and 0.75 ``auc_T``, the probability that a label with IoU < T stands
        before one with IoU >= T, and ``found_T_S``, the share of the labels with IoU <
        T among the first S of the list; None where there are no bad or no good ones.

    Example:
        >>> order = ranking_quality(np.arange(10), np.linspace(0.1, 1, 10))
        >>> order['auc_0.5'], order['found_0.5_0.2']
        (1.0, 0.5)
    """
    found: dict[str, float | None] = {}
    rank = rankdata(goodness)  # equal ones share their mean
    for threshold in GOOD_IOUS:
        bad = ious < threshold
        number, others = int(bad.sum()), int((~bad).sum())
        area = None
        if number and others:
            before = rankdata(-rank)[bad].sum() - number * (number + 1) / 2
            area = float(before / (number * others))
        found[f'auc_{threshold}'] = area
        for share in SHARES:
            first = _taken(goodness, share * len(goodness))
            part = float(first[bad].sum() / number) if number else None
            found[f'found_{threshold}_{share}'] = part
    return found


def _taken(goodness: np.ndarray, count: float) -> np.ndarray:
    """Share of every label that is expected among the first ``count``."""
    below = rankdata(goodness, 'min') - 1
    equal = rankdata(goodness, 'max') - below
    return ((count - below) / equal).clip(0, 1)


def calibration(
    signals: Sequence[Signals],
    ious: np.ndarray,
    rule: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Measure the confidence, every signal alone and random order.

    Args:
        signals: N labels.
        ious: ``(N,)`` IoU with the true masks.
        rule: Of the confidence. Defaults to the calibrated one.

    Returns:
        JSON-serialisable: ``labels``; ``bad``, the number below each IoU; ``order``,
        from each order to its :func:`ranking_quality`; ``fitted``, the rule that fits
        these labels best, None where all are good or bad.
    """
    orders = {'confidence': confidences(signals, rule)}
    for name in _measured(signals):
        values = [one[name] for one in signals]
        known = [value for value in values if value is not None]
        middle = float(np.median(known))
        column = np.array([middle if v is None else v for v in values], dtype=float)
        if name == 'fill':
            column = -np.abs(column - middle)
        orders[name] = -column if name in _BAD_IF_HIGH else column
    try:
        fitted = fit_rule([signals], [ious])
    except ValueError:
        fitted = None
    return dict(
        labels=len(ious),
        bad={str(iou): int((ious < iou).sum()) for iou in GOOD_IOUS},
        order=dict(
            **{name: ranking_quality(order, ious) for name, order in orders.items()},
            random=dict(RANDOM),
        ),
        fitted=fitted,
    )


def _measured(signals: Sequence[Signals]) -> list[str]:
    """Names of the signals that some label has."""
    names = list(signals[0]) if signals else []
    first = ['score', 'crf', *VIEW_SIGNALS, *(other_names(signals[0]) if names else ())]
    names.sort(key=lambda name: first.index(name) if name in first else len(first))
    return [name for name in names if any(one[name] is not None for one in signals)]


def calibration_markdown(found: Mapping[str, Any]) -> str:
    """The report for people.

    Args:
        found: Of :func:`calibration`.
    """
    bad = ', '.join(f'{count} below {iou}' for iou, count in found['bad'].items())
    header = ['order']
    for iou in GOOD_IOUS:
        header += [f'IoU < {iou}: AUC', *(f'in first {s:.0%}' for s in SHARES)]
    rows = []
    for name, figures in found['order'].items():
        values = ['-' if v is None else f'{v:.3f}' for v in figures.values()]
        rows.append([name, *values])
    return (
        '# How well the list finds bad labels\n\n'
        f'{found["labels"]} labels with true masks, {bad} IoU. AUC: how probably a bad '
        'label stands before a good one; found: share of the bad labels among the '
        'first of the list. Random order is what is expected of it.\n\n'
        f'{markdown_table(header, rows, text_columns=1)}\n'
    )


def write_calibration(found: Mapping[str, Any], out_dir: str | os.PathLike) -> None:
    """Write ``calibration.json`` and ``calibration.md``.

    Args:
        found: Of :func:`calibration`.
        out_dir: Folder; made if absent.
    """
    out_dir = Path(out_dir)
    atomic_write_text(out_dir / 'calibration.md', calibration_markdown(found))
    atomic_write_json(out_dir / 'calibration.json', found, indent=1)
