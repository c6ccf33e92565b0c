"""COCO run-length codes of masks that are known on one rectangle only.

COCO counts runs down the columns of the whole image. Outside the rectangle there is
nothing to scan, so the code is made from the rectangle and its place; the result is
byte for byte what ``pycocotools.mask.encode`` gives for the image-size mask.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from .tensor_checks import as_integer, as_mask, as_number, as_size

BOX_RULES = ('continuous', 'released')


def encode_patch(
    mask: np.ndarray, x: int, y: int, image_size: tuple[int, int]
) -> dict[str, Any]:
    """Compressed COCO RLE of a mask that is zero outside a rectangle.

    Args:
        mask: Bool or 0/1 array (h, w).
        x: Column of its left edge in the image.
        y: Row of its upper edge in the image.
        image_size: ``(H, W)`` of the image in pixels.

    Returns:
        ``dict(size=[H, W], counts=str)`` with ASCII counts, ready for JSON.

    Raises:
        ValueError: The rectangle does not lie inside the image, which has at most
            2^32 - 1 pixels; or the mask is not two-dimensional or not finite.

    Example:
        >>> rle = encode_patch(np.ones((2, 3), dtype=bool), x=4, y=1, image_size=(5, 8))
        >>> coco_mask.decode(rle)[:, 3:].tolist()
        [[0, 0, 0, 0, 0],
         [0, 1, 1, 1, 0],
         [0, 1, 1, 1, 0],
         [0, 0, 0, 0, 0],
         [0, 0, 0, 0, 0]]
    """
    height, width = _image_size(image_size)
    x, y = as_integer('x', x), as_integer('y', y)
    mask = as_mask(mask)
    rows, columns = mask.shape
    if mask.size and (x < 0 or y < 0 or x + columns > width or y + rows > height):
        raise ValueError(
            f'a {columns}x{rows} patch at column {x}, row {y} must lie inside the '
            f'{width}x{height} image.'
        )
    return rle_from_edges(_run_edges(mask, x, y, height), height, width)


def _image_size(image_size: tuple[int, int]) -> tuple[int, int]:
    height, width = as_size('image_size', image_size)
    if height * width >= 2**32:
        raise ValueError(
            f'image_size: COCO counts less than 2^32 pixels, got {height}x{width}.'
        )
    return height, width


def rle_from_edges(edges: np.ndarray, height: int, width: int) -> dict[str, Any]:
    """Encode a mask by the places where it begins and ends.

    Args:
        edges: (K,) ascending positions, down the image's columns, where the value
            changes; it is 0 before the first.
        height: Of the image in pixels.
        width: Of the image in pixels.

    Returns:
        ``dict(size=[height, width], counts=str)``.
    """
    # Lengths of the runs between the changes, zeros first, down the image's columns.
    bounds = np.empty(len(edges) + 2, dtype=np.int64)
    bounds[0], bounds[1:-1], bounds[-1] = 0, edges, height * width
    counts = bounds[1:] - bounds[:-1]
    # No run of zeros follows a mask that ends in the last pixel.
    if counts[-1] == 0 and len(counts) > 1:
        counts = counts[:-1]
    rle = coco_mask.frPyObjects(
        dict(size=[height, width], counts=counts.tolist()), height, width
    )
    return dict(size=[height, width], counts=rle['counts'].decode('ascii'))


def encode_filled_box(
    bbox: Sequence[float], image_size: tuple[int, int], rule: str = 'continuous'
) -> dict[str, Any]:
    """RLE of a filled box, the mask that a labeler starts from.

    Args:
        bbox: ``[x, y, width, height]`` in image pixels.
        image_size: ``(H, W)`` of the image in pixels.
        rule: Which pixels lie in the box, see :func:`pixels_between`. Defaults to
            'continuous'.

    Returns:
        ``dict(size=[H, W], counts=str)``.

    Raises:
        ValueError: Numbers that are not finite, a negative width or height, or an image
            without pixels.

    Example:
        >>> rle = encode_filled_box([1.2, 0.0, 3.0, 2.0], image_size=(3, 6))
        >>> coco_mask.decode(rle).tolist()
        [[0, 1, 1, 1, 0, 0],
         [0, 1, 1, 1, 0, 0],
         [0, 0, 0, 0, 0, 0]]
    """
    left, top, right, bottom = filled_box_span(bbox, image_size, rule)
    height, width = _image_size(image_size)
    if bottom - top + 1 == height:  # whole columns are one run
        edges = np.array([left * height, (right + 1) * height])
    else:
        columns = np.arange(left, right + 1) * height
        edges = np.stack([columns + top, columns + bottom + 1], axis=1).ravel()
    return rle_from_edges(edges, height, width)


def filled_box_span(
    bbox: Sequence[float], image_size: tuple[int, int], rule: str = 'continuous'
) -> tuple[int, int, int, int]:
    """Pixels of a filled box.

    Args:
        bbox: ``[x, y, width, height]`` in image pixels.
        image_size: ``(H, W)`` of the image in pixels.
        rule: As for :func:`encode_filled_box`. Defaults to 'continuous'.

    Returns:
        First column and row, last column and row, of :func:`encode_filled_box`.

    Raises:
        ValueError: As :func:`encode_filled_box`.

    Example:
        >>> filled_box_span([1.2, 0.0, 3.0, 2.0], image_size=(3, 6))
        (1, 0, 3, 1)
        >>> filled_box_span([1.2, 0.0, 3.0, 2.0], (3, 6), rule='released')
        (1, 0, 4, 2)
    """
    height, width = _image_size(image_size)
    if not height * width:
        raise ValueError(f'image_size: expected pixels, got {height}x{width}.')
    x, y, w, h = (as_number('bbox', value) for value in bbox)
    if w < 0 or h < 0:
        raise ValueError(f'bbox: expected a width and height >= 0, got {[*bbox]}.')
    left, right = pixels_between(x, x + w, width, rule)
    top, bottom = pixels_between(y, y + h, height, rule)
    return left, top, right, bottom


def pixels_between(
    low: float, high: float, size: int, rule: str = 'continuous'
) -> tuple[int, int]:
    """First and last pixel of one side of a box.

    Args:
        low: Where the box begins, in pixels.
        high: Where it ends, not below ``low``.
        size: Pixels of the image along this side.
        rule: 'continuous': pixel ``i`` covers ``[i, i + 1]`` and lies in the box if its
            centre does. 'released': ``int(low)`` and ``int(high)``, both inclusive, as
            in the released code of `MAL <https://arxiv.org/abs/2301.03992>`__, which
            takes the edges of boxes for indices. Defaults to 'continuous'.

    Returns:
        Indices in the image, at least one pixel.

    Raises:
        ValueError: The rule is unknown, the numbers are not finite, or ``high`` lies
            below ``low``.

    Example:
        >>> pixels_between(10, 20, 100), pixels_between(10, 20, 100, 'released')
        ((10, 19), (10, 20))
    """
    low, high = as_number('low', low), as_number('high', high)
    size = as_integer('size', size, 1)
    if high < low:
        raise ValueError(f'high: expected at least low {low}, got {high}.')
    if rule == 'continuous':
        first, last = math.ceil(low - 0.5), math.ceil(high - 0.5) - 1
        if last < first:  # no centre between them
            first = last = math.floor((low + high) / 2)
    elif rule == 'released':
        first, last = int(low), int(high)
    else:
        raise ValueError(f'rule: expected one of {BOX_RULES}, got {rule!r}.')
    return min(max(first, 0), size - 1), min(max(last, 0), size - 1)


def _run_edges(mask: np.ndarray, x: int, y: int, height: int) -> np.ndarray:
    """Positions, in column-major order of the image, where the mask's value changes."""
    rows, columns = mask.shape
    if mask.size == 0:
        return np.zeros(0, dtype=np.int64)
    # Where the patch is as high as the image, a run may go on in the next column;
    # elsewhere a row of zeros above separates the columns.
    padding = 0 if rows == height else 1
    flat = np.zeros(columns * (rows + padding) + 2, dtype=np.int8)
    flat[1:-1].reshape(columns, rows + padding)[:, padding:] = np.asarray(mask).T
    change = np.flatnonzero(flat[1:] != flat[:-1])
    # Entry i of `change` lies between elements i-1 and i of the padded patch; a run's
    # end is its last element's place plus one, a start its own place.
    starts, ends = change[0::2], change[1::2] - 1
    edges = np.empty(len(change), dtype=np.int64)
    edges[0::2] = _place(starts, rows + padding, padding, x, y, height)
    edges[1::2] = _place(ends, rows + padding, padding, x, y, height) + 1
    return edges


def _place(
    index: np.ndarray, stride: int, padding: int, x: int, y: int, height: int
) -> np.ndarray:
    """Column-major place in the image of an element of the padded patch."""
    column, row = np.divmod(index, stride)
    return (x + column) * height + y + row - padding
