"""COCO run-length codes of masks that are unions of regions."""

from typing import Any

import numpy as np

from .patch_rle import rle_from_edges


def encode_regions(label_map: np.ndarray, member: np.ndarray) -> list[dict[str, Any]]:
    """Compressed COCO RLEs of unions of regions, without their bitmaps.

    The image is cut into runs of one region once; a mask can only change between two.

    Args:
        label_map: (H, W) integers, 0 to R - 1.
        member: (N, R) bool, which regions belong to each mask.

    Returns:
        N times ``dict(size=[H, W], counts=str)``, byte for byte what
        ``pycocotools.mask.encode`` gives for ``member[n][label_map]``.

    Example:
        >>> from pycocotools import mask as coco_mask
        >>> label_map = np.array([[0, 0, 1], [2, 2, 1]])
        >>> (rle,) = encode_regions(label_map, np.array([[False, True, True]]))
        >>> coco_mask.decode(rle).tolist()
        [[0, 0, 1], [1, 1, 1]]
    """
    height, width = label_map.shape
    columns = label_map.ravel(order='F')
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    inside = np.zeros((len(member), len(starts) + 1), dtype=bool)
    inside[:, 1:] = member[:, columns[starts]]
    changes = inside[:, 1:] != inside[:, :-1]
    return [rle_from_edges(starts[change], height, width) for change in changes]
