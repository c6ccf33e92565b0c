"""GrabCut of an object in a box."""

import math

import cv2
import numpy as np

from .tensor_checks import as_box, as_integer, as_number

_OBJECT = (cv2.GC_FGD, cv2.GC_PR_FGD)


def grab_cut(
    image: np.ndarray,
    box: np.ndarray,
    num_iters: int = 5,
    context: float | None = None,
) -> np.ndarray:
    """Foreground of a box by GrabCut, ``cv2.grabCut`` with a fixed seed.

    Section 3.2 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018). All pixels outside of
    the box are background. A box of the whole image leaves none to learn a background
    from: GrabCut abstains, and the whole box is the answer.

    Args:
        image: (H, W, 3) uint8, RGB.
        box: (4,) integers ``x0, y0, x1, y1`` in pixels of the image, without row
            ``y1`` and column ``x1``.
        num_iters: Iterations. Defaults to 5.
        context: Background is what lies within this many widths and heights of the box
            around it; other pixels are not looked at. Faster, and another result.
            Defaults to None: all pixels.

    Returns:
        (H, W) bool, False outside of the box. It may be empty.

    Raises:
        TypeError: An image that is not uint8, or a box that is not of integers.
        ValueError: Another shape, an empty box, or one that leaves the image.

    Example:
        >>> image = np.zeros((30, 40, 3), np.uint8)
        >>> image[10:20, 10:20] = 220, 40, 40  # an object
        >>> found = grab_cut(image, np.array([7, 6, 25, 24]))
        >>> np.array_equal(found, image.any(axis=2))
        True
    """
    image = _as_image(image)
    height, width = image.shape[:2]
    x0, y0, x1, y1 = as_box('box', box, (height, width))
    num_iters = as_integer('num_iters', num_iters, 1)
    found = np.zeros((height, width), bool)
    if (x0, y0, x1, y1) == (0, 0, width, height):
        return ~found
    left, top, right, bottom = 0, 0, width, height
    if context is not None:
        context = as_number('context', context, '(0, inf)')
        grow_x, grow_y = (math.ceil(context * side) for side in (x1 - x0, y1 - y0))
        left, right = max(x0 - grow_x, 0), min(x1 + grow_x, width)
        top, bottom = max(y0 - grow_y, 0), min(y1 + grow_y, height)
    window = np.ascontiguousarray(image[top:bottom, left:right, ::-1])  # BGR
    mask = np.zeros(window.shape[:2], np.uint8)
    models = np.zeros((2, 1, 65))  # of background and foreground
    cv2.setRNGSeed(0)
    rectangle = x0 - left, y0 - top, x1 - x0, y1 - y0
    cv2.grabCut(window, mask, rectangle, *models, num_iters, cv2.GC_INIT_WITH_RECT)
    inside = mask[y0 - top : y1 - top, x0 - left : x1 - left]
    found[y0:y1, x0:x1] = np.isin(inside, _OBJECT)
    return found


def _as_image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise TypeError(f'image: expected uint8, got {image.dtype}.')
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'image: expected shape (H, W, 3), got {image.shape}.')
    return image
