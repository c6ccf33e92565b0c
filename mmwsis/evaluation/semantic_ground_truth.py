"""Semantic ground truth, painted from the objects of a COCO JSON."""

import numpy as np
from pycocotools import mask as coco_mask

from .instance_ground_truth import ImageObjects
from .mask_overlap import mask_areas

VOID = -1


def semantic_truth(objects: ImageObjects, image_size: tuple[int, int]) -> np.ndarray:
    """Paint the objects of an image into a map of classes.

    Where masks overlap (COCO's do, a little) the smallest object is on top. A crowd
    region is of its class.

    Args:
        objects: Ground truth of the image.
        image_size: ``(H, W)`` in pixels.

    Returns:
        ``(H, W)`` int64: 0 background, ``k + 1`` class ``k``, -1 not to be judged.
    """
    values = np.zeros(image_size, dtype=np.int64)
    for index in np.argsort(-mask_areas(objects.masks), kind='stable'):
        mask = coco_mask.decode(objects.masks[index]).astype(bool)
        values[mask] = objects.labels[index] + 1
    if objects.void is not None:
        values[coco_mask.decode(objects.void).astype(bool)] = VOID
    return values
