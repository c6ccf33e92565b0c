"""Geometry of object crops: pure functions on NumPy arrays and Pillow images.

Follows MAL (Mask Auto-Labeler, CVPR 2023), which EXITS (CVPR 2024) reuses. Boxes are
``(x0, y0, x1, y1)``; pixel ``i`` covers ``[i, i + 1]``.

With ``rule='released'`` the box of an object is what MAL's released code takes it for:
``int(x1)`` is its last pixel, not its end. See :func:`mmwsis.ops.pixels_between`.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from mmwsis.ops.patch_rle import pixels_between

Box = tuple[int, int, int, int]


def training_margins(
    uniforms: Sequence[float], gates: Sequence[float], max_margin: float = 1.2
) -> np.ndarray:
    """Random margins of a training crop.

    Opposite sides share a gate, so the box is at least about
    ``1 / (1 + max_margin / 2)`` of the crop in both directions.

    Args:
        uniforms: Four draws from [0, 1), for left, top, right, bottom.
        gates: Two draws from [0, 1), horizontal and vertical.
        max_margin: Largest margin, in half box sides.

    Returns:
        Margins (4,) left, top, right, bottom, in half box sides.
    """
    share = np.asarray([gates[0], gates[1], 1 - gates[0], 1 - gates[1]])
    return np.asarray(uniforms, dtype=np.float64) * max_margin * share


def crop_box(
    bbox: Sequence[float], margins: Sequence[float], rule: str = 'continuous'
) -> Box:
    """Integer box around an object box with a margin on every side.

    Args:
        bbox: ``(x0, y0, x1, y1)`` in image pixels.
        margins: Left, top, right, bottom, in half box sides.
        rule: 'continuous', or 'released': right and bottom end one pixel later.
            Defaults to 'continuous'.

    Returns:
        Half-open ``(X0, Y0, X1, Y1)``, at least one pixel; may reach beyond the image.
    """
    x0, y0, x1, y1 = (float(value) for value in bbox)
    left, top, right, bottom = (float(value) for value in margins)
    centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
    last_pixel = 1 if rule == 'released' else 0
    left = math.floor(centre_x - (centre_x - x0) * (1 + left))
    top = math.floor(centre_y - (centre_y - y0) * (1 + top))
    right = math.ceil(centre_x + (x1 - centre_x) * (1 + right) + last_pixel)
    bottom = math.ceil(centre_y + (y1 - centre_y) * (1 + bottom) + last_pixel)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def wrap_crop(image: np.ndarray, box: Box) -> np.ndarray:
    """Cut a box out of an image that repeats itself in both directions.

    ``out[r, c] = image[(Y0 + r) mod H, (X0 + c) mod W]``: no padding pixels, which a
    colour-based loss would take for an object border.

    Args:
        image: (H, W) or (H, W, C), not empty.
        box: Half-open ``(X0, Y0, X1, Y1)``, anywhere and of any positive size.

    Returns:
        (Y1 - Y0, X1 - X0[, C]). A view where the box lies inside the image.

    Raises:
        ValueError: The image or the box is empty.
    """
    x0, y0, x1, y1 = box
    height, width = image.shape[:2]
    if min(height, width, x1 - x0, y1 - y0) < 1:
        raise ValueError(
            'wrap_crop needs an image and a box of at least one pixel; got an image of '
            f'{width} x {height} and the box {tuple(box)}.'
        )
    if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
        return image[y0:y1, x0:x1]
    out = np.empty((y1 - y0, x1 - x0, *image.shape[2:]), dtype=image.dtype)
    columns = list(_wrapped_runs(x0, x1, width))
    for out_rows, rows in _wrapped_runs(y0, y1, height):
        for out_columns, source_columns in columns:
            out[out_rows, out_columns] = image[rows, source_columns]
    return out


def _wrapped_runs(start: int, stop: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Contiguous pieces of ``range(start, stop) mod size``: (in the crop, in it)."""
    position = start
    while position < stop:
        source = position % size
        length = min(size - source, stop - position)
        yield (
            slice(position - start, position - start + length),
            slice(source, source + length),
        )
        position += length


def box_mask_lines(
    bbox: Sequence[float],
    image_size: tuple[int, int],
    box: Box,
    wrap: bool,
    rule: str = 'continuous',
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a crop that lie in the object box.

    The box mask of an image is 1 on a range of rows and a range of columns, so its crop
    is the outer product of the two results and never has to be formed at the size of
    the image.

    Args:
        bbox: Object box ``(x0, y0, x1, y1)`` in image pixels; is clipped to the image.
        image_size: ``(height, width)`` of the image in pixels.
        box: Half-open crop box ``(X0, Y0, X1, Y1)``.
        wrap: Repeat the mask as :func:`wrap_crop` repeats the image (training);
            otherwise it is 0 outside the image (test).
        rule: Which pixels lie in the box: 'continuous' or 'released'. Defaults to
            'continuous'.

    Returns:
        uint8 (Y1 - Y0,) and uint8 (X1 - X0,), both 0 or 1.
    """
    lines = []
    for axis, size in ((1, image_size[0]), (0, image_size[1])):
        positions = np.arange(box[axis], box[axis + 2])
        low, high = float(bbox[axis]), float(bbox[axis + 2])
        first, last = pixels_between(low, high, size, rule)
        if wrap:
            positions = positions % size
        lines.append(((positions >= first) & (positions <= last)).astype(np.uint8))
    return lines[0], lines[1]


def resize_box_mask(rows: np.ndarray, columns: np.ndarray, size: int) -> np.ndarray:
    """Pillow's bicubic resize of the outer product of two 0/1 lines.

    Pillow resizes horizontally, rounds to uint8, then vertically; on 0/1 values this is
    the outer product of the resized lines, at the cost of two lines.

    Args:
        rows: uint8 (h,), 0 or 1.
        columns: uint8 (w,), 0 or 1.
        size: Side of the result in pixels.

    Returns:
        uint8 (size, size), 0 or 1.
    """
    vertical = Image.fromarray(rows[:, None]).resize((1, size), Image.BICUBIC)
    horizontal = Image.fromarray(columns[None]).resize((size, 1), Image.BICUBIC)
    return np.outer(np.asarray(vertical)[:, 0], np.asarray(horizontal)[0])


def resize_crop(image: np.ndarray, size: int) -> np.ndarray:
    """Resize to a square with Pillow's bicubic filter, antialiased when shrinking.

    The aspect ratio is given up. OpenCV's filters are not equivalent.

    Args:
        image: uint8 (h, w) or (h, w, 3).
        size: Side of the result in pixels.

    Returns:
        uint8 (size, size[, 3]), a fresh writable array.
    """
    pil_image = Image.fromarray(np.ascontiguousarray(image))
    return np.array(pil_image.resize((size, size), Image.BICUBIC))
