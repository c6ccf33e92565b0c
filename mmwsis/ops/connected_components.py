"""Connected components of a binary mask."""

import numpy as np
from scipy import ndimage

from .tensor_checks import as_integer, as_mask

EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)
SEPARATED_MIN_AREA = 16


def label_components(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the 4-connected components in raster order of their first pixels.

    Args:
        mask: Bool or 0/1 array (H, W).

    Returns:
        (H, W) int32 numbers, 0 outside the mask and from 1 on inside, and the number
        of components.

    Raises:
        ValueError: ``mask`` is not two-dimensional or not finite.

    Example:
        >>> labels, count = label_components(np.array([[0, 1, 0], [1, 0, 1]]))
        >>> labels.tolist(), count
        ([[0, 1, 0], [2, 0, 3]], 3)
    """
    return _label(mask)


def count_components(mask: np.ndarray, min_area: int = 1) -> int:
    """Number of 8-connected components of a mask.

    Args:
        mask: Bool or 0/1 array (H, W).
        min_area: Components with fewer pixels are not counted. Defaults to 1.

    Returns:
        The number of components of at least ``min_area`` pixels.

    Raises:
        ValueError: ``mask`` is not two-dimensional or not finite, or no area.

    Example:
        >>> mask = np.array([[0, 1, 0, 0], [1, 0, 0, 1]])  # two touch at a corner
        >>> count_components(mask), count_components(mask, min_area=2)
        (2, 1)
    """
    min_area = as_integer('min_area', min_area, 0)
    labels, count = _label(mask, EIGHT_CONNECTED)
    if count < 2 and min_area <= 1:
        return count
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return int((areas >= min_area).sum())


def is_separated(gt: np.ndarray, min_area: int = SEPARATED_MIN_AREA) -> bool:
    """Whether a mask has several 8-connected components, as occluded objects do.

    Args:
        gt: (H, W), 0 or 1.
        min_area: Components with fewer pixels do not count. Defaults to 16.

    Returns:
        True if at least two components count.

    Raises:
        ValueError: ``gt`` is not two-dimensional or not finite, or no area.

    Example:
        >>> mask = np.zeros((8, 20), dtype=bool)
        >>> mask[:4, :4] = mask[4:, 10:] = True  # 16 and 40 pixels
        >>> is_separated(mask), is_separated(mask, min_area=17)
        (True, False)
    """
    gt = as_mask(gt)
    rows = np.flatnonzero(gt.any(axis=1))
    if not len(rows):
        return False
    # Only the tight box is labelled: most of an image is outside of an object.
    columns = np.flatnonzero(gt.any(axis=0))
    inside = gt[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return count_components(inside, min_area) > 1


def _label(
    mask: np.ndarray, structure: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    labels, count = ndimage.label(as_mask(mask), structure=structure)
    return labels, int(count)
