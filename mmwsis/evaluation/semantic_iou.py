"""Mean IoU of semantic label maps, from joint histograms."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmwsis.formats.semantic_maps import IGNORE_INDEX, read_semantic_map


class SemanticQuality(NamedTuple):
    """How well label maps agree with the ground truth; 0 to 1.

    Attributes:
        miou: Mean IoU over the classes that occur. Pixels that the labels leave open
            count as wrong.
        miou_decided: The same over the pixels that the labels decide.
        accuracy: Share of right pixels.
        decided: Share of pixels that the labels decide.
        iou: ``(C,)`` of ``miou``, NaN for classes that do not occur.
    """

    miou: float
    miou_decided: float
    accuracy: float
    decided: float
    iou: np.ndarray


def confusion_counts(
    gt: np.ndarray, pred: np.ndarray, num_classes: int, where: str = 'label map'
) -> np.ndarray:
    """Pixels of every pair of classes.

    Args:
        gt: Integers of any shape: 0 to C - 1, 255 ignored.
        pred: Same shape; 255 where it leaves the class open.
        num_classes: C, at most 255.
        where: Names the image in messages.

    Returns:
        ``(C, C + 1)`` int64, rows ground truth, columns prediction, the last for what
        is left open.

    Raises:
        ValueError: Different shapes, or a value that is neither a class nor 255.
    """
    if gt.shape != pred.shape:
        raise ValueError(
            f'{where}: the labels have (height, width) {pred.shape}, the ground truth '
            f'{gt.shape}.'
        )
    for name, values in (('ground truth', gt), ('labels', pred)):
        if values.size and (values.min() < 0 or values.max() > IGNORE_INDEX):
            raise ValueError(
                f'{where}: the {name} has values {values.min()} to {values.max()}; '
                f'expected 0 to {num_classes - 1}, or {IGNORE_INDEX} where there is no '
                'label.'
            )
    joint = np.bincount(
        gt.astype(np.int64).ravel() * 256 + pred.ravel(), minlength=256 * 256
    ).reshape(256, 256)
    for name, counts in (('ground truth', joint.sum(1)), ('labels', joint.sum(0))):
        unknown = np.flatnonzero(counts[num_classes:IGNORE_INDEX]) + num_classes
        if len(unknown):
            raise ValueError(
                f'{where}: the {name} has the value {unknown[0]}; expected 0 to '
                f'{num_classes - 1}, or {IGNORE_INDEX} for what is not labelled.'
            )
    return np.concatenate(
        [joint[:num_classes, :num_classes], joint[:num_classes, IGNORE_INDEX:]], axis=1
    )


def semantic_quality(counts: np.ndarray) -> SemanticQuality:
    """Figures of a dataset.

    Args:
        counts: ``(C, C + 1)`` of :func:`confusion_counts`, summed over all images.

    Returns:
        The figures; NaN where there is no pixel to judge.
    """
    decided = counts[:, :-1]
    right, total = np.diag(decided).sum(), counts.sum()
    iou = _class_iou(decided, counts.sum(axis=1))
    return SemanticQuality(
        miou=_mean(iou),
        miou_decided=_mean(_class_iou(decided, decided.sum(axis=1))),
        accuracy=_ratio(right, total),
        decided=_ratio(decided.sum(), total),
        iou=iou,
    )


def _class_iou(decided: np.ndarray, gt_area: np.ndarray) -> np.ndarray:
    inter = np.diag(decided)
    union = gt_area + decided.sum(axis=0) - inter
    return np.where(union > 0, inter / np.maximum(union, 1), np.nan)


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float('nan')


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float('nan')


def folder_confusion(
    pred_dir: str | os.PathLike,
    gt_dir: str | os.PathLike,
    num_classes: int,
    names: Sequence[str] | None = None,
) -> tuple[np.ndarray, int]:
    """Pixel counts of two folders of label maps.

    Args:
        pred_dir: Folder of single-channel or palette PNGs, 255 where the class is
            left open.
        gt_dir: Ground truth with the same file names, 255 ignored.
        num_classes: C, background included.
        names: File names to compare; ``None`` takes every PNG of ``pred_dir``.

    Returns:
        ``(C, C + 1)`` counts and the number of maps.

    Raises:
        FileNotFoundError: A folder or a map is missing.
        ValueError: A map cannot be read or has wrong values; the message names it.
    """
    pred_dir, gt_dir = Path(pred_dir), Path(gt_dir)
    if not 1 <= num_classes <= IGNORE_INDEX:
        raise ValueError(f'num_classes must be 1 to {IGNORE_INDEX}, got {num_classes}.')
    if names is None:
        names = sorted(path.name for path in pred_dir.glob('*.png'))
    if not names:
        raise FileNotFoundError(f'{pred_dir} has no label maps (*.png).')
    total = np.zeros((num_classes, num_classes + 1), dtype=np.int64)
    for name in names:
        maps = (read_semantic_map(folder / name) for folder in (gt_dir, pred_dir))
        total += confusion_counts(*maps, num_classes, str(pred_dir / name))
    return total, len(names)
