"""Overlaps of the predicted masks of an image with its objects."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from .mask_bits import MaskBits, shared_pixels

RLE = dict[str, Any]


class Overlaps(NamedTuple):
    """Pixel counts of P predicted and G ground-truth masks of one image.

    ``intersection`` is (P, G), ``pred_area`` (P,), ``gt_area`` (G,), and ``pred_void``
    (P,) how many pixels of a prediction are void; all int64.
    """

    intersection: np.ndarray
    pred_area: np.ndarray
    gt_area: np.ndarray
    pred_void: np.ndarray

    def iou(self, remove_void: bool) -> np.ndarray:
        """Intersection over union of every prediction with every object.

        Void pixels are expected to belong to no object, so that they matter only as
        part of a prediction.

        Args:
            remove_void: Take void pixels out of the predictions first; otherwise a
                predicted void pixel counts in the union, as background does.

        Returns:
            ``(P, G)`` float64, 0 to 1; 0 where the union is empty.
        """
        area = self.pred_area - self.pred_void if remove_void else self.pred_area
        union = area[:, None] + self.gt_area[None] - self.intersection
        return self.intersection / np.maximum(union, 1)


def mask_overlaps(
    pred: MaskBits, gt: MaskBits, void: MaskBits | None = None
) -> Overlaps:
    """Count the pixels that the masks of one image share.

    Args:
        pred: P masks.
        gt: G masks of the same size.
        void: One mask of the pixels that are not to be judged; ``None`` if there are
            none.

    Returns:
        The counts.

    Raises:
        ValueError: The masks are of different sizes.
    """
    no_void = np.zeros(len(pred), dtype=np.int64)
    return Overlaps(
        intersection=shared_pixels(pred, gt),
        pred_area=pred.areas(),
        gt_area=gt.areas(),
        pred_void=no_void if void is None else shared_pixels(pred, void)[:, 0],
    )


def mask_intersections(first: Sequence[RLE], second: Sequence[RLE]) -> np.ndarray:
    """Pixels that every mask of one list shares with every mask of another.

    Args:
        first: P compressed RLEs.
        second: G compressed RLEs of the same size.

    Returns:
        ``(P, G)`` int64.

    Raises:
        ValueError: The masks are of different sizes.
    """
    if not len(first) or not len(second):
        return np.zeros((len(first), len(second)), dtype=np.int64)
    sizes = {tuple(int(v) for v in mask['size']) for mask in (*first, *second)}
    if len(sizes) > 1:
        raise ValueError(
            'masks of one image must have one size; got (height, width) '
            f'{sorted(sizes)}.'
        )
    # For a crowd, pycocotools divides the intersection by the first mask's area: a
    # quotient of integers below 2**53, which rounding recovers exactly.
    share = coco_mask.iou(list(first), list(second), [1] * len(second))
    areas = np.array([coco_mask.area(mask) for mask in first])  # 256 at once overflow
    return np.rint(share * areas[:, None]).astype(np.int64)


def best_of_class(
    iou: np.ndarray, pred_labels: np.ndarray, gt_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Object of its own class that every prediction overlaps most.

    Args:
        iou: ``(P, G)``.
        pred_labels: ``(P,)`` int.
        gt_labels: ``(G,)`` int.

    Returns:
        ``(P,)`` float64, that overlap, and ``(P,)`` int64, the object's index, the
        first of equals; -1 and -1 where the image has no object of the class.
    """
    pred_labels, gt_labels = np.asarray(pred_labels), np.asarray(gt_labels)
    if not len(pred_labels) or not len(gt_labels):
        nothing = np.full(len(pred_labels), -1)
        return nothing.astype(np.float64), nothing.astype(np.int64)
    own = np.where(pred_labels[:, None] == gt_labels[None], iou, -1.0)
    best = own.argmax(axis=1)
    value = own[np.arange(len(own)), best]
    return value, np.where(value < 0, -1, best)
