"""Semantic ground truth, painted from the objects of a COCO JSON."""

import numpy as np

from .instance_ground_truth import ImageObjects

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
    bitmaps = objects.masks.bitmaps()
    for index in np.argsort(-objects.masks.areas(), kind='stable'):
        values[bitmaps[index]] = objects.labels[index] + 1
    if objects.void is not None:
        values[objects.void.bitmaps()[0]] = VOID
    return values
