"""Connected parts of a binary mask."""

import numpy as np
from scipy import ndimage

EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)
SEPARATED_MIN_PART = 16


def label_parts(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the 4-connected parts of a mask in raster order of their first pixels.

    Args:
        mask: Bool or 0/1 array (H, W).

    Returns:
        (H, W) int32 numbers, 0 outside the mask and from 1 on inside, and the largest.

    Raises:
        ValueError: ``mask`` is not two-dimensional.
    """
    return _label(mask)


def count_parts(mask: np.ndarray, min_area: int = 1) -> int:
    """Number of 8-connected parts of a mask.

    Args:
        mask: Bool or 0/1 array (H, W).
        min_area: Parts with fewer pixels are not counted.

    Returns:
        The number of parts of at least ``min_area`` pixels.

    Raises:
        ValueError: ``mask`` is not two-dimensional.
    """
    labels, count = _label(mask, EIGHT_CONNECTED)
    if count < 2 and min_area <= 1:
        return count
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return int((areas >= min_area).sum())


def is_separated(gt: np.ndarray, min_part: int = SEPARATED_MIN_PART) -> bool:
    """Whether a mask falls into several 8-connected parts, as occluded objects do.

    Args:
        gt: ``(H, W)``, 0 or 1.
        min_part: Parts with fewer pixels do not count.
    """
    rows = np.flatnonzero(gt.any(axis=1))
    if not len(rows):
        return False
    columns = np.flatnonzero(gt.any(axis=0))
    inside = gt[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return count_parts(inside, min_part) > 1


def _label(
    mask: np.ndarray, structure: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f'mask must have shape (H, W), given {mask.shape}')
    labels, count = ndimage.label(mask, structure=structure)
    return labels, int(count)
