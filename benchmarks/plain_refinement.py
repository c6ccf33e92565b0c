"""The refinement of labels with a mask of the image for each box, as it is written."""

import numpy as np

IGNORED = 255


def refine(
    labels: np.ndarray,
    scores: np.ndarray,
    box_map: np.ndarray,
    boxes: np.ndarray,
    box_labels: np.ndarray,
    crops: np.ndarray,
    allowed: np.ndarray,
    num_things: int,
) -> np.ndarray:
    """Codes ``label + 1000 * instance``, of no label the number of classes.

    Args:
        labels: (H, W) int64, classes.
        scores: (H, W) float32.
        box_map: (H, W): a thing, -1 for none, 255 unknown.
        boxes: (N, 4) half-open, within the image, none of them twice.
        box_labels: (N,)
        crops: (M, 4)
        allowed: (M, C) bool.
        num_things: Labels below it are things.
    """
    labels = np.where(scores < np.float32(0.99), IGNORED, labels)
    for (x1, y1, x2, y2), tags in zip(crops, allowed):
        crop = labels[y1:y2, x1:x2]
        for label in np.unique(crop):
            if label != IGNORED and not tags[label]:
                crop[crop == label] = IGNORED
    merged = np.full_like(labels, IGNORED)
    stuff = (labels >= num_things) & (labels != IGNORED)
    merged[stuff & ((box_map == -1) | (box_map == IGNORED))] = labels[
        stuff & ((box_map == -1) | (box_map == IGNORED))
    ]
    for thing in range(num_things):
        merged[box_map == thing] = thing
    masks = np.zeros((len(boxes), *labels.shape), dtype=bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        mask[y1:y2, x1:x2] = True
    for thing in range(num_things):
        near = masks[box_labels == thing].any(0)
        merged[(merged == thing) & ~near] = IGNORED
    filled = _filled(merged, boxes, box_labels, num_things)
    return _codes(filled, masks, box_labels, num_things, allowed.shape[1])


def _filled(
    labels: np.ndarray, boxes: np.ndarray, box_labels: np.ndarray, num_things: int
) -> np.ndarray:
    filled = labels.copy()
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    for index in np.argsort(-areas, kind='stable'):
        x1, y1, x2, y2 = boxes[index]
        mask = np.zeros(labels.shape, dtype=bool)
        mask[y1 + 1 : y2, x1 + 1 : x2] = True
        own = labels == box_labels[index]
        if mask.any() and (own & mask).sum() / mask.sum() < 0.5:
            filled[mask & ~own & (labels >= num_things)] = box_labels[index]
    return filled


def _codes(
    labels: np.ndarray,
    masks: np.ndarray,
    box_labels: np.ndarray,
    num_things: int,
    num_classes: int,
) -> np.ndarray:
    counts, numbers = np.zeros_like(labels), np.zeros_like(labels)
    for number, (mask, label) in enumerate(zip(masks, box_labels), start=1):
        own = mask & (labels == label)
        counts += own
        numbers += number * own
    codes = labels + 1000 * np.where(counts == 1, numbers, 0)
    codes[labels == IGNORED] = num_classes
    return codes
