"""From outlines and bitmaps of an object to a segmentation within its image."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmwsis.formats.coco_masks import (
    MaskCrop,
    decode_segmentation,
    encode_mask,
    tight_box,
)

from .records import CHANGED, INVALID, LabelledImage, LabelledObject, Point

Size = tuple[int, int]
Segmentation = list[list[float]] | dict[str, Any]
# As in label files: rounding of the tool, not a mistake of the annotator.
OUTSIDE = 1.0
_DIGITS = 3


def tidy(values: Sequence[float]) -> list[float]:
    """Round to thousandths of a pixel, and write integers as such.

    Args:
        values: Finite numbers.
    """
    rounded = (round(float(value), _DIGITS) for value in values)
    return [int(value) if value.is_integer() else value for value in rounded]


def segmentation_of(
    obj: LabelledObject, size: Size, image: LabelledImage
) -> tuple[Segmentation, MaskCrop, list[float] | None]:
    """Mask of an object: polygons as they are, or one RLE.

    An RLE it is where a component is a bitmap or a hole was cut out.

    Args:
        obj: With polygons or masks.
        size: Width and height of the image.
        image: Gets what was cut off or out as issues.

    Returns:
        The segmentation, its pixels, and the box of its pixels if it is an RLE.

    Raises:
        ValueError: It lies outside the image, or leaves it by far.
    """
    width, height = size
    reach = _reach(obj.polygons, size)
    report_reach(reach, 'polygon', obj, image)
    polygons = [
        [value for point in polygon for value in tidy(point)]
        for polygon in obj.polygons
    ]
    holes = [(hole, _hole(hole, size, image)) for hole in obj.holes]
    if not obj.masks:
        crop = decode_segmentation(polygons, height, width)
        if not any(_crop_of(bitmap, crop).any() for _, bitmap in holes):
            return polygons, crop, None
    bitmap = _bitmap(obj, size, image)
    for hole, cut in holes:
        pixels = np.count_nonzero(bitmap & cut)
        if pixels:
            bitmap &= ~cut
            image.used_holes.add(hole.item)
            reason = f'{pixels} px are cut out of it, where {hole.item} lies over it'
            image.report(CHANGED, obj.item, f'hole {hole.name!r}', reason)
    if holes and not bitmap.any():
        raise ValueError('nothing is left of it under the holes that lie over it')
    segmentation = encode_mask(bitmap)
    crop = decode_segmentation(segmentation, height, width)
    return segmentation, crop, tight_box(crop)


def _crop_of(bitmap: np.ndarray, crop: MaskCrop) -> np.ndarray:
    (x, y), (rows, columns) = crop.offset, crop.mask.shape
    return bitmap[y : y + rows, x : x + columns] & crop.mask.astype(bool)


def _hole(hole: LabelledObject, size: Size, image: LabelledImage) -> np.ndarray:
    """Pixels of a hole; of a broken one none, and it is an issue."""
    if hole.box is not None:
        x0, y0, x1, y1 = hole.box
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        hole = replace(hole, polygons=[*hole.polygons, corners])
    try:
        _reach(hole.polygons, size)
        return _bitmap(hole, size, image, is_hole=True)
    except ValueError as error:
        if hole.item not in image.used_holes:
            image.report(INVALID, hole.item, 'object', str(error))
            image.used_holes.add(hole.item)
        return np.zeros(size[::-1], dtype=bool)


def _bitmap(
    obj: LabelledObject, size: Size, image: LabelledImage, is_hole: bool = False
) -> np.ndarray:
    """All components on one picture, (height, width) of truth values."""
    width, height = size
    bitmap = np.zeros((height, width), dtype=bool)
    for mask in obj.masks:
        lost = _paint(bitmap, *mask, image.masks_are_moved)
        if lost and not is_hole:
            reason = f'{lost} px of the mask lie outside the image and are cut off'
            image.report(CHANGED, obj.item, 'mask beyond the border', reason)
    polygons = [[value for p in polygon for value in p] for polygon in obj.polygons]
    if polygons:
        crop = decode_segmentation(polygons, height, width)
        (x, y), (rows, columns) = crop.offset, crop.mask.shape
        bitmap[y : y + rows, x : x + columns] |= crop.mask.astype(bool)
    return bitmap


def _paint(bitmap: np.ndarray, x: int, y: int, mask: np.ndarray, is_moved: bool) -> int:
    """Add a component; the number of its pixels outside is returned.

    Where the tool lets nobody move masks, one that lies mostly outside is broken.
    """
    (height, width), (rows, columns) = bitmap.shape, mask.shape
    left, top = max(-x, 0), max(-y, 0)
    part = mask[top : max(height - y, 0), left : max(width - x, 0)].astype(bool)
    all_pixels, kept = np.count_nonzero(mask), np.count_nonzero(part)
    if (all_pixels and not kept) if is_moved else 2 * kept < all_pixels:
        raise ValueError(
            f'the mask of {columns}x{rows} pixels at ({x}, {y}) leaves the image of '
            f'{width}x{height} with {"all" if is_moved else "most"} of its pixels'
        )
    if part.size:
        x, y = max(x, 0), max(y, 0)
        bitmap[y : y + part.shape[0], x : x + part.shape[1]] |= part
    return all_pixels - kept


def report_reach(
    reach: float, kind: str, obj: LabelledObject, image: LabelledImage
) -> None:
    """Say that a shape left its image.

    Args:
        reach: By how many pixels; up to one is rounding, and nothing is said.
        kind: 'box' or 'polygon'.
        obj: The object.
        image: Gets the issue.
    """
    if reach > OUTSIDE:
        reason = (
            f'reached {reach:g} px out of the image; what is outside does not count'
        )
        image.report(CHANGED, obj.item, f'{kind} beyond the border', reason)


def _reach(polygons: Sequence[Sequence[Point]], size: Size) -> float:
    """By how many pixels corners of polygons leave the image."""
    points = [point for polygon in polygons for point in polygon]
    if not points:
        return 0.0
    corners = np.asarray(points, dtype=np.float64)
    if not np.isfinite(corners).all():
        raise ValueError('a polygon must have finite corners')
    beyond = np.maximum(-corners, corners - size).max(axis=1)
    farthest = int(beyond.argmax())
    # Drawing the outline of such a polygon takes time and memory by its length.
    if beyond[farthest] > max(size):
        x, y = points[farthest]
        raise ValueError(
            f'the corner ({x:g}, {y:g}) of the polygon is far outside the image of '
            f'{size[0]}x{size[1]} pixels'
        )
    return max(float(beyond[farthest]), 0.0)
