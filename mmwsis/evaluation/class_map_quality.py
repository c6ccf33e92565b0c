"""Mean IoU of what class maps say at a threshold, for many thresholds at once."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .semantic_ground_truth import VOID
from .semantic_iou import SemanticQuality, semantic_quality

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


class PixelCounts(NamedTuple):
    """Pixels of one image that agree in everything that matters.

    Attributes:
        cells: ``(N,)`` int64 numbers of :func:`count_pixels`.
        pixels: ``(N,)`` int64 how many pixels are alike.
    """

    cells: np.ndarray
    pixels: np.ndarray


def count_pixels(
    maps: np.ndarray,
    labels: np.ndarray,
    truth: np.ndarray,
    num_classes: int,
    thresholds: Sequence[float] = THRESHOLDS,
    where: str = 'class maps',
) -> PixelCounts:
    """Sort the pixels of an image by ground truth, strongest class and its strength.

    A pixel is taken for its strongest class if that response exceeds the threshold,
    else for background (IRNet: the argmax over ``[threshold, maps...]``). So the
    strongest class and the number of thresholds below its response tell every
    threshold's decision.

    Args:
        maps: ``(K, H, W)`` responses in [0, 1].
        labels: ``(K,)`` classes of the maps.
        truth: ``(H, W)``: 0 background, ``k + 1`` class ``k``, -1 not to be judged.
        num_classes: C, without the background.
        thresholds: T ascending numbers.
        where: Names the image in messages.

    Returns:
        Counts; a cell is ``(truth * C + class) * (T + 1) + thresholds exceeded``.

    Raises:
        ValueError: The maps are not of the ground truth's size, a label is no class,
            or a response is not finite.
    """
    if maps.shape != (len(labels), *truth.shape):
        raise ValueError(
            f'{where}: expected {len(labels)} maps of (height, width) {truth.shape}, '
            f'one per class; got shape {maps.shape}.'
        )
    labels = np.asarray(labels)
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(
            f'{where}: labels of class maps must be 0 to {num_classes - 1}, one per '
            f'class of the dataset; got {labels.tolist()}.'
        )
    if not np.isfinite(maps).all():
        raise ValueError(f'{where}: a class map holds values that are not finite.')
    if len(labels):
        strongest = labels.astype(np.int64)[maps.argmax(0)]
        exceeded = np.searchsorted(np.float32(thresholds), maps.max(0), side='left')
    else:
        strongest = exceeded = np.zeros(truth.shape, dtype=np.int64)
    cells = (truth * num_classes + strongest) * (len(thresholds) + 1) + exceeded
    return PixelCounts(*np.unique(cells[truth != VOID], return_counts=True))


def class_map_quality(
    counts: Iterable[PixelCounts],
    num_classes: int,
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[SemanticQuality]:
    """Figures of a dataset, one a threshold.

    Args:
        counts: Of all images.
        num_classes: C, without the background.
        thresholds: Those of :func:`count_pixels`.

    Returns:
        T figures; ``iou`` is ``(C + 1,)``, the background first.
    """
    bins = len(thresholds) + 1
    total = np.zeros((num_classes + 1) * num_classes * bins, dtype=np.int64)
    for cells, pixels in counts:
        total[cells] += pixels
    total = total.reshape(num_classes + 1, num_classes, bins)
    figures = []
    for first in range(1, bins):
        confusion = np.zeros((num_classes + 1, num_classes + 2), dtype=np.int64)
        confusion[:, 0] = total[..., :first].sum((1, 2))
        confusion[:, 1:-1] = total[..., first:].sum(2)
        figures.append(semantic_quality(confusion))
    return figures


def best_threshold(figures: Sequence[SemanticQuality]) -> int:
    """Index of the highest mean IoU, the first of equal ones.

    Args:
        figures: Of :func:`class_map_quality`.
    """
    return int(np.nanargmax([np.nan_to_num(one.miou, nan=-1.0) for one in figures]))
