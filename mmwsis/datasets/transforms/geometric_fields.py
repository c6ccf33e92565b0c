"""How the fields of a sample follow a geometric transform of their image."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from PIL import Image

from mmwsis.structures.grid_map import PixelRule

from .geometry import Geometry

_FILTERS = {
    'cv2': dict(bilinear=cv2.INTER_LINEAR, bicubic=cv2.INTER_CUBIC),
    'pillow': dict(
        bilinear=Image.Resampling.BILINEAR, bicubic=Image.Resampling.BICUBIC
    ),
}


def check_filter(interpolation: str, backend: str, truncate: bool) -> None:
    """Refuse what :func:`resized_image` cannot do.

    Args:
        interpolation: Name of the filter.
        backend: Library.
        truncate: Whether fractions are cut off.

    Raises:
        ValueError: It is unknown, or Pillow is asked to truncate.
    """
    if interpolation not in _FILTERS.get(backend, ()):
        raise ValueError(
            "backend must be 'cv2' or 'pillow' and interpolation 'bilinear' or "
            f"'bicubic', got {backend!r} and {interpolation!r}."
        )
    if truncate and backend == 'pillow':
        raise ValueError("Pillow rounds its pixels; truncate_image is for 'cv2'.")


def resized_image(
    image: np.ndarray,
    geometry: Geometry,
    interpolation: str,
    backend: str,
    truncate: bool = False,
) -> np.ndarray:
    """Image after the first step of ``geometry``.

    Args:
        image: uint8 or float32 (H, W, 3).
        geometry: What is done.
        interpolation: 'bilinear' or 'bicubic'.
        backend: 'cv2', or 'pillow', whose filters grow wider where an image shrinks.
        truncate: Whether to interpolate uint8 in floating point and to cut off the
            fractions. Defaults to False, they are rounded.

    Returns:
        The resized image; ``image`` itself where the size stays.
    """
    if geometry.resized_size == geometry.size:
        return image
    filter_, size = _FILTERS[backend][interpolation], geometry.resized_size[::-1]
    if backend == 'pillow':
        if image.dtype == np.uint8:
            return np.array(Image.fromarray(image).resize(size, filter_))
        # It has no colour images of other types.
        channels = image.astype(np.float32).transpose(2, 0, 1)
        resized = [Image.fromarray(one).resize(size, filter_) for one in channels]
        return np.stack([np.array(one) for one in resized], axis=-1)
    source = image.astype(np.float32) if truncate else image
    if geometry.factor is None:
        resized = cv2.resize(source, size, interpolation=filter_)
    else:
        factors = dict(fx=geometry.factor, fy=geometry.factor)
        resized = cv2.resize(source, None, **factors, interpolation=filter_)
    return np.clip(resized, 0, 255).astype(image.dtype) if truncate else resized


def placed_image(
    image: np.ndarray, geometry: Geometry, colour: tuple[float, ...]
) -> np.ndarray:
    """Image after the other steps of ``geometry``.

    Args:
        image: (H, W, 3), already resized.
        geometry: What is done.
        colour: Three values for what lies outside. Where it is used and holds a
            fraction, an image of integers becomes float32.

    Returns:
        A new array; ``image`` itself where no step is left.
    """
    if geometry.window is None and not geometry.mirror:
        return image
    window = replace(geometry, mirror=False).placement()
    whole = all(float(value).is_integer() for value in colour)
    if window.reaches_outside and not whole:
        image = image.astype(np.float32)
    placed = window.apply(image, colour, axis=0)
    # Twenty times as fast as NumPy's copy of pixels in reverse.
    return cv2.flip(placed, 1) if geometry.mirror else placed


def moved_class_maps(
    maps: dict[str, np.ndarray], geometry: Geometry
) -> dict[str, np.ndarray]:
    """Class maps; those of the image's size bilinearly, 0 outside.

    Args:
        maps: ``labels`` and arrays (K, h, w).
        geometry: What is done.

    Returns:
        New dictionary. Maps of another size cover the image as before: they are not
        resized, and cannot be cut.
    """
    moved, placement = {}, geometry.placement()
    for name, stack in maps.items():
        if name == 'labels':
            moved[name] = stack
        elif stack.shape[1:] == geometry.size:
            moved[name] = placement.apply(_resized_maps(stack, geometry))
        else:
            moved[name] = stack[..., ::-1].copy() if geometry.mirror else stack
    return moved


def _resized_maps(stack: np.ndarray, geometry: Geometry) -> np.ndarray:
    if geometry.resized_size == geometry.size:
        return stack
    # OpenCV has no float16.
    resized = np.empty((len(stack), *geometry.resized_size), np.float32)
    for place, one in zip(resized, stack.astype(np.float32), strict=True):
        place[:] = resized_image(one, geometry, 'bilinear', 'cv2')
    return resized.astype(stack.dtype)


def moved_boxes(
    boxes: BaseBoxes | np.ndarray, geometry: Geometry
) -> tuple[BaseBoxes | np.ndarray, np.ndarray]:
    """Boxes, cut off at the image's border.

    Args:
        boxes: MMDetection's boxes, whose own methods fit, as they are edges; or (N, 4).
        geometry: What is done.

    Returns:
        New boxes, and bool (N,): a part of the box is inside.
    """
    if isinstance(boxes, np.ndarray):
        moved, inside = moved_boxes(HorizontalBoxes(boxes), geometry)
        return moved.numpy(), inside
    boxes = boxes.clone()
    boxes.rescale_(geometry.scale)
    inside = np.ones(len(boxes), bool)
    if geometry.window is not None:
        top, left = geometry.corner
        boxes.translate_((-left, -top))
        inside = boxes.is_inside(geometry.window).numpy()
    boxes.clip_(geometry.new_size)
    if geometry.mirror:
        boxes.flip_(geometry.new_size)
    return boxes, inside


def moved_detections(detections: dict[str, Any], geometry: Geometry) -> dict[str, Any]:
    """Detections, cut off at the image's border.

    Args:
        detections: ``bboxes`` (N, 4), ``labels`` and ``scores``, and of the image that
            they are of its ``size``, and whether it is mirrored, ``flip``.
        geometry: What is done.

    Returns:
        New dictionary. A window leaves those that hold the centre of a pixel.
    """
    boxes, _ = moved_boxes(detections['bboxes'], geometry)
    flip = detections['flip'] != geometry.mirror
    moved = dict(detections, bboxes=boxes, size=geometry.new_size, flip=flip)
    if geometry.window is None:
        return moved
    first, end = np.ceil(boxes - 0.5).reshape(-1, 2, 2).transpose(1, 0, 2)
    kept = (first < end).all(axis=1)
    rows = {name: moved[name][kept] for name in ('bboxes', 'labels', 'scores')}
    return dict(moved, **rows)


def moved_masks(
    masks: BitmapMasks | PolygonMasks, geometry: Geometry, rule: PixelRule
) -> tuple[BitmapMasks | PolygonMasks, np.ndarray]:
    """Masks of objects.

    MMDetection's bitmaps resize by OpenCV's nearest neighbours and know no window, so
    they go through a :class:`GridMap`. Its polygons are cut and mirrored by their own
    methods, whose vertices are edges as those of boxes; ``resize`` knows no factor.

    Args:
        masks: Bitmaps or polygons.
        geometry: What is done.
        rule: Nearest neighbours of bitmaps, as in :meth:`GridMap.resized`.

    Returns:
        New masks, and bool (N,): a window has left something of the mask, or it was
        empty before.
    """
    if isinstance(masks, BitmapMasks):
        bits = geometry.grid(rule).apply(masks.masks)
        moved = BitmapMasks(bits, *geometry.new_size)
    else:
        moved = _moved_polygons(masks, geometry)
    if geometry.window is None:
        return moved, np.ones(len(masks), bool)
    return moved, ~_is_empty(moved) | _is_empty(masks)


def _is_empty(masks: BitmapMasks | PolygonMasks) -> np.ndarray:
    if isinstance(masks, BitmapMasks):
        return ~masks.masks.any(axis=(1, 2))
    return masks.areas <= 0


def _moved_polygons(masks: PolygonMasks, geometry: Geometry) -> PolygonMasks:
    moved = _affine(masks, geometry.scale, (0, 0), geometry.resized_size)
    if geometry.window is not None:
        (top, left), (height, width) = geometry.corner, geometry.window
        # ``crop`` keeps to the image; what the window has outside it is added after.
        moved = moved.crop(np.array([left, top, left + width, top + height]))
        shift = max(-left, 0), max(-top, 0)
        moved = _affine(moved, (1, 1), shift, geometry.window)
    return moved.flip() if geometry.mirror else moved


def _affine(
    masks: PolygonMasks,
    scale: tuple[float, float],
    shift: tuple[int, int],
    size: tuple[int, int],
) -> PolygonMasks:
    def move(polygon: np.ndarray) -> np.ndarray:
        return (polygon.reshape(-1, 2) * scale + shift).reshape(-1)

    moved = [[move(polygon) for polygon in polygons] for polygons in masks.masks]
    return PolygonMasks(moved, *size)
