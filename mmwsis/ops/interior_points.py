"""One point inside an object's mask, by three annotation protocols."""

import cv2
import numpy as np

from .tensor_checks import as_integer, as_mask


def interior_point(
    mask: np.ndarray,
    mode: str = 'distance',
    generator: np.random.Generator | None = None,
    offset: tuple[int, int] = (0, 0),
) -> tuple[int, int]:
    """Pixel of a mask that stands for a click on the object.

    Args:
        mask: Bool or 0/1 array (H, W): the image, or any crop that holds the object.
        mode: 'distance': the pixel farthest from everything outside the mask, the
            outside of the array included. 'centre': the middle of the tight box, or if
            that is not on the mask the mask pixel nearest to it. Of several pixels both
            take the topmost, of these the leftmost. 'uniform': a random mask pixel.
            Defaults to 'distance'.
        generator: Random generator, needed by 'uniform' alone. Defaults to None.
        offset: ``(x, y)`` of the crop's first pixel in the image. Defaults to (0, 0).

    Returns:
        ``(x, y)``, indices of a pixel of the mask.

    Raises:
        ValueError: The mask is empty, not two-dimensional or not finite, the mode is
            unknown, or 'uniform' without a generator.

    Example:
        >>> mask = np.zeros((7, 9), dtype=bool)
        >>> mask[1:6, 0:5] = mask[5, 5:9] = True  # a square with a tail
        >>> interior_point(mask), interior_point(mask, 'centre')
        ((2, 3), (4, 3))
    """
    mask = as_mask(mask)
    shift_x, shift_y = (as_integer('offset', value) for value in offset)
    y, x = np.nonzero(mask)
    if not len(y):
        raise ValueError('the mask is empty, so that it has no point inside')
    if mode == 'distance':
        k = _most_interior(mask, x, y)
    elif mode == 'centre':
        k = _nearest(x, y, int(x.min() + x.max()) // 2, int(y.min() + y.max()) // 2)
    elif mode == 'uniform':
        if generator is None:
            raise ValueError("mode 'uniform' needs a random generator")
        k = int(generator.random() * len(y))
    else:
        raise ValueError(
            f"mode must be 'distance', 'centre' or 'uniform', given {mode!r}"
        )
    return int(x[k]) + shift_x, int(y[k]) + shift_y


def _most_interior(mask: np.ndarray, x: np.ndarray, y: np.ndarray) -> int:
    # A border of zeros makes the outside of the array count as outside the mask.
    padded = np.pad(np.ascontiguousarray(mask).view(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Squared distances are integers: rounded, those that are equal are so exactly.
    squared = np.rint(distance[y + 1, x + 1] ** 2)
    return int(squared.argmax())


def _nearest(x: np.ndarray, y: np.ndarray, to_x: int, to_y: int) -> int:
    return int(((x - to_x) ** 2 + (y - to_y) ** 2).argmin())
