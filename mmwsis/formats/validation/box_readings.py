"""Boxes against those of masks: how near they are, and in which format they would be.

A box that is not where its mask is was mostly written in another convention: corners
instead of sizes, y from below, shares instead of pixels. The four numbers are read in
each of them here, and compared again.
"""

import numpy as np

# Rasterisation moves an outline by up to a pixel, and boxes are rounded.
RELATIVE_TOLERANCE = 0.05
BOX_PIXELS = 2.0
_UNIFORM, _RESIZED = 0.1, 0.15


def are_apart(given: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether boxes differ by more than rounding.

    Args:
        given: ``(k, 4)``, x, y, width, height in pixels; NaN where there is none.
        boxes: ``(k, 4)``, of the masks.

    Returns:
        ``(k,)`` bool, false where there is no box.
    """
    extent = np.tile(given[:, 2:], 2)
    margin = np.maximum(BOX_PIXELS, RELATIVE_TOLERANCE * extent)
    return (np.abs(_corners(given) - _corners(boxes)) > margin).any(axis=1)


def box_overlap(given: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes, which count as one pixel wide at least.

    Args:
        given: ``(k, 4)``, x, y, width, height in pixels.
        boxes: ``(k, 4)``, of the masks.

    Returns:
        ``(k,)``, 0 to 1; NaN where a box is.
    """
    first, second = (
        np.concatenate([box[:, :2], np.maximum(box[:, 2:], 1)], axis=1)
        for box in (given, boxes)
    )
    a, b = _corners(first), _corners(second)
    inner = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = inner.clip(0).prod(axis=1)
    return shared / (first[:, 2:].prod(axis=1) + second[:, 2:].prod(axis=1) - shared)


def likely_reading(
    given: np.ndarray, boxes: np.ndarray, sizes: np.ndarray
) -> list[str]:
    """The convention in which boxes are those of their masks.

    Args:
        given: ``(k, 4)``, the four numbers of ``bbox``.
        boxes: ``(k, 4)``, x, y, width, height of the masks, in pixels.
        sizes: ``(k, 2)``, width and height of the images in pixels.

    Returns:
        What the numbers would have to be, k texts; empty: none of the known.
    """
    found = np.full(len(given), '', dtype=object)
    with np.errstate(all='ignore'):  # numbers of 1e308
        for reading, values in _readings(given, boxes, sizes):
            valid = np.isfinite(values).all(axis=1) & (values[:, 2:] > 0).all(axis=1)
            found[valid & ~are_apart(values, boxes) & (found == '')] = reading
    return found.tolist()


def _readings(
    given: np.ndarray, boxes: np.ndarray, sizes: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    x, y, w, h = given.T
    width, height = sizes.T
    scale = np.tile(sizes, 2)

    def box(*columns: np.ndarray) -> np.ndarray:
        return np.stack(columns, axis=1)

    factors = boxes[:, 2:] / given[:, 2:]
    # A stretch of one side, or of a few percent, is an inexact box.
    uniform = np.abs(factors[:, 0] / factors[:, 1] - 1) < _UNIFORM
    factors[~uniform | (np.abs(factors[:, 0] - 1) < _RESIZED)] = np.nan
    middle = box(x - w / 2, y - h / 2, w, h)
    return [
        (
            '[x0, y0, x1, y1], corners instead of width and height',
            box(x, y, w - x, h - y),
        ),
        ('y counted from below instead of from the top', box(x, height - y - h, w, h)),
        ('y counted from below, of the upper edge', box(x, height - y, w, h)),
        ('y of the lower edge', box(x, y - h, w, h)),
        ('x, y of the middle instead of the corner', middle),
        ('x and y exchanged', box(y, x, h, w)),
        ('[y0, x0, y1, x1], corners with y first', box(y, x, h - y, w - x)),
        ('x counted from the right', box(width - x - w, y, w, h)),
        ('shares of the image, 0 to 1, instead of pixels', given * scale),
        (
            'shares of the image, x and y of the middle (YOLO)',
            middle * scale,
        ),
        ('an image of another size', given * np.tile(factors, 2)),
    ]


def _corners(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
