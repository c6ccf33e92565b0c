"""Segment ids as the colours of COCO's panoptic PNGs: R + 256 G + 65536 B."""

import numpy as np


def ids_of_colours(bgr: np.ndarray) -> np.ndarray:
    """Segment ids of an image of colours.

    ``id = R + 256 G + 65536 B``, the `format of COCO's panoptic PNGs
    <https://cocodataset.org/#format-data>`__.

    Args:
        bgr: uint8 (H, W, 3), blue first, as OpenCV reads it.

    Returns:
        int32 (H, W), below ``2**24``; 0 is void.

    Example:
        >>> ids_of_colours(np.array([[[0, 1, 2]]], dtype=np.uint8))
        array([[258]], dtype=int32)
    """
    blue, green, red = np.moveaxis(bgr.astype(np.int32), -1, 0)
    return red + 256 * green + 65536 * blue


def colours_of_ids(ids: np.ndarray) -> np.ndarray:
    """The image of colours that holds segment ids; see :func:`ids_of_colours`.

    Args:
        ids: Integers (H, W), 0 to ``2**24 - 1``.

    Returns:
        uint8 (H, W, 3), blue first, as OpenCV writes it.

    Example:
        >>> colours_of_ids(np.array([[258]]))
        array([[[0, 1, 2]]], dtype=uint8)
    """
    ids = ids.astype(np.int32)  # 65536 is beyond smaller types
    return np.stack([ids // 65536, ids // 256 % 256, ids % 256], 2).astype(np.uint8)
