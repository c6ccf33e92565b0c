"""From what an annotator drew to an image of a label file, and its supervision level.

An image has one level, the strongest that all its objects have. A mask gives every
weaker label, extreme points give a box; a box gives no click and no extreme points.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.coco_masks import (
    MaskCrop,
    decode_segmentation,
    encode_mask,
    tight_box,
)
from mmwsis.structures.extreme_points import box_of_extreme_points
from mmwsis.structures.supervision import Supervision

from ..weak_labels import WeakProtocol, derive_weak_labels
from .image_files import displayed_size, find_image
from .records import (
    CHANGED,
    INVALID,
    LEFT_OUT,
    BuiltImage,
    LabelledImage,
    LabelledObject,
    Point,
)
from .settings import ImportSettings
from .shapes import sort_extreme_points

# As in label files: rounding of the tool, not a mistake of the annotator.
_OUTSIDE = 1.0
_DIGITS = 3
_SHARED_LEVELS = 'objects of an image without a common level'

Labels = dict[Supervision, dict[str, Any]]
# An object and what it says at each level that it has.
_Checked = tuple[LabelledObject, Labels]


def build_image(
    image: LabelledImage, settings: ImportSettings, ids: Mapping[str, int]
) -> BuiltImage:
    """Check an image and its objects and decide its level.

    Args:
        image: What was read; gets what is found here as issues.
        settings: The user's choices, with an image folder.
        ids: Category id by class name.

    Returns:
        The image. What is broken is an issue of kind 'invalid'; nothing is raised.
    """
    file_name, path = find_image(image.paths, settings.img_dir)
    try:
        size = _size(image, file_name, path, settings)
    except ValueError as error:
        image.report(INVALID, '', 'image', str(error))
        return BuiltImage(image.source, image.issues, is_found=path is not None)
    objects: list[_Checked] = []
    names = {name for name in image.tags if name not in settings.ignored}
    for obj in image.objects:
        if obj.name in settings.ignored:
            reason = 'its label is one to ignore'
            image.report(LEFT_OUT, obj.item, f'label {obj.name!r}', reason)
            continue
        names.add(obj.name)
        if obj.name in settings.stuff:
            reason = 'stuff has no objects; its class is a tag of the image'
            what = f'object of stuff class {obj.name!r}'
            image.report(CHANGED, obj.item, what, reason)
            continue
        try:
            objects.append((obj, _labels(obj, size, image, settings)))
        except ValueError as error:
            image.report(INVALID, obj.item, 'object', str(error))
    level = _common_level(objects, image, settings.level) if objects else None
    entry = dict(file_name=file_name, width=size[0], height=size[1])
    entry['tags'] = sorted(ids[name] for name in names)
    record = dict(image=entry, objects=_annotations(objects, level, ids))
    return BuiltImage(image.source, image.issues, record, level, path is not None)


def _size(
    image: LabelledImage, file_name: str, path: Path | None, settings: ImportSettings
) -> tuple[int, int]:
    """Width and height of the image, by its file if there is one."""
    said = (image.width, image.height)
    if path is None:
        if None in said:
            raise ValueError(
                f'the size of the image is not known: the labels do not say it, and '
                f'{file_name} is not in {settings.img_dir}; give --img-dir'
            )
        return said
    size = displayed_size(path)
    if None not in said and said != size:
        raise ValueError(
            f'the labels were made on an image of {said[0]}x{said[1]} pixels, '
            f'{path} has {size[0]}x{size[1]}'
        )
    return size


def _labels(
    obj: LabelledObject,
    size: tuple[int, int],
    image: LabelledImage,
    settings: ImportSettings,
) -> Labels:
    """What an object says at each level that it has."""
    labels: Labels = {}
    if obj.polygons or obj.masks:
        reach = _reach([point for polygon in obj.polygons for point in polygon], size)
        _report_reach(reach, 'polygon', obj, image)
        labels = _labels_of_mask(obj, size)
    if obj.box is not None:
        box, reach = _box(obj.box, size)
        _report_reach(reach, 'box', obj, image)
        labels[Supervision.BOXES] = _box_label(box)
    if obj.extreme_points is not None:
        inside = [_point(point, size) for point in obj.extreme_points]
        points, all_extreme = sort_extreme_points(inside)
        if not all_extreme:
            reason = (
                'one of its four clicks is extreme in no direction and another in two; '
                'the box is that of all four'
            )
            image.report(CHANGED, obj.item, 'clicks not extreme', reason)
        extreme = [_tidy(point) for point in points]
        box = _box_label(box_of_extreme_points(extreme))
        labels[Supervision.EXTREME_POINTS] = dict(extreme_points=extreme, **box)
        labels[Supervision.BOXES] = box
        if Supervision.MASKS in labels:
            labels[Supervision.MASKS]['extreme_points'] = extreme
    if obj.point is not None:
        labels[Supervision.POINTS] = dict(point=_tidy(_point(obj.point, size)))
        for level in labels:
            if level > Supervision.POINTS:
                labels[level] = {**labels[level], **labels[Supervision.POINTS]}
    elif settings.points_from_boxes and Supervision.BOXES in labels:
        x, y, width, height = labels[Supervision.BOXES]['bbox']
        middle = _tidy((x + width / 2, y + height / 2))
        labels.setdefault(Supervision.POINTS, dict(point=middle))
    return labels


def _report_reach(
    reach: float, kind: str, obj: LabelledObject, image: LabelledImage
) -> None:
    if reach > _OUTSIDE:
        reason = (
            f'reached {reach:g} px out of the image; what is outside does not count'
        )
        image.report(CHANGED, obj.item, f'{kind} beyond the border', reason)


def _reach(points: Sequence[Point], size: tuple[int, int]) -> float:
    """By how many pixels corners of polygons leave the image."""
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


def _labels_of_mask(obj: LabelledObject, size: tuple[int, int]) -> Labels:
    width, height = size
    segmentation = _segmentation(obj, size)
    crop = decode_segmentation(segmentation, height, width)
    weak = derive_weak_labels(
        dict(id=0, segmentation=segmentation),
        (height, width),
        (Supervision.POINTS, Supervision.EXTREME_POINTS),
        WeakProtocol(),
    )
    box = _mask_box(obj, crop, size)
    extreme = weak['extreme_points']
    return {
        Supervision.MASKS: dict(
            segmentation=segmentation, bbox=box, area=int(crop.mask.sum())
        ),
        Supervision.EXTREME_POINTS: dict(
            extreme_points=extreme, **_box_label(box_of_extreme_points(extreme))
        ),
        Supervision.BOXES: _box_label(box),
        Supervision.POINTS: dict(point=weak['point']),
    }


def _segmentation(
    obj: LabelledObject, size: tuple[int, int]
) -> list[list[float]] | dict[str, Any]:
    """Polygons as they are; where a component is a bitmap, one RLE of all."""
    polygons = [
        [value for point in polygon for value in _tidy(point)]
        for polygon in obj.polygons
    ]
    if not obj.masks:
        return polygons
    width, height = size
    bitmap = np.zeros((height, width), dtype=np.uint8)
    for x, y, mask in obj.masks:
        rows, columns = mask.shape
        if x < 0 or y < 0 or x + columns > width or y + rows > height:
            raise ValueError(
                f'the mask of {columns}x{rows} pixels at ({x}, {y}) leaves the image '
                f'of {width}x{height}'
            )
        bitmap[y : y + rows, x : x + columns] |= mask
    if polygons:
        crop = decode_segmentation(polygons, height, width)
        (x, y), (rows, columns) = crop.offset, crop.mask.shape
        bitmap[y : y + rows, x : x + columns] |= crop.mask
    return encode_mask(bitmap)


def _mask_box(
    obj: LabelledObject, crop: MaskCrop, size: tuple[int, int]
) -> list[float]:
    """COCO's boxes: the bounds of polygons, the pixels of bitmaps."""
    if obj.masks:
        return tight_box(crop)
    xs, ys = zip(*(point for polygon in obj.polygons for point in polygon))
    box, _ = _box((min(xs), min(ys), max(xs), max(ys)), size)
    return box


def _box(corners: Sequence[float], size: tuple[int, int]) -> tuple[list[float], float]:
    """Cut a box at the border; also by how many pixels it left the image."""
    if not all(map(math.isfinite, corners)):
        raise ValueError(f'the box must have finite corners, got {tuple(corners)}')
    limits = (*size, *size)
    cut = [min(max(value, 0.0), limit) for value, limit in zip(corners, limits)]
    x0, y0, x1, y1 = _tidy(cut)
    if x1 <= x0 or y1 <= y0:
        raise ValueError(
            f'the box {tuple(corners)} has no area in the image of {size[0]}x{size[1]} '
            'pixels'
        )
    reach = max(abs(a - b) for a, b in zip(corners, cut))
    return _tidy((x0, y0, x1 - x0, y1 - y0)), reach


def _box_label(box: Sequence[float]) -> dict[str, Any]:
    return dict(bbox=list(box), area=_tidy((box[2] * box[3],))[0])


def _point(point: Point, size: tuple[int, int]) -> Point:
    """Move a point that is a little outside onto the last pixel."""
    if not all(map(math.isfinite, point)):
        raise ValueError(f'a point must have finite coordinates, got {point}')
    for value, side in zip(point, size):
        if value < -_OUTSIDE or value > side + _OUTSIDE:
            raise ValueError(
                f'the point ({point[0]:g}, {point[1]:g}) is outside the image of '
                f'{size[0]}x{size[1]} pixels'
            )
    x, y = (min(max(value, 0.0), side - 1) for value, side in zip(point, size))
    return x, y


def _tidy(values: Sequence[float]) -> list[float]:
    """Thousandths of a pixel, and integers as such."""
    rounded = (round(float(value), _DIGITS) for value in values)
    return [int(value) if value.is_integer() else value for value in rounded]


def _common_level(
    objects: Sequence[_Checked], image: LabelledImage, ceiling: Supervision
) -> Supervision:
    """The strongest level that all objects have, up to a ceiling.

    Says which objects give up what the annotator drew.
    """
    # The strongest level of each object up to the ceiling, or its weakest.
    own = [
        max([level for level in labels if level <= ceiling] or [min(labels)])
        for _, labels in objects
    ]
    common = set(Supervision).intersection(*(labels for _, labels in objects))
    allowed = [level for level in common if level <= ceiling]
    level = max(allowed, default=Supervision.IMAGE_TAGS)
    # One that has no more than the level of the image.
    weakest, _ = objects[own.index(min(own))]
    kinds = ' and '.join(sorted({max(labels).label for _, labels in objects}))
    for (obj, _), strongest in zip(objects, own):
        if level is Supervision.IMAGE_TAGS:
            reason = (
                f'the objects of this image are {kinds}, and no level up to '
                f'{ceiling.label} holds them all; its classes remain as tags'
            )
            if ceiling > Supervision.IMAGE_TAGS:
                image.report(LEFT_OUT, obj.item, _SHARED_LEVELS, reason)
        elif strongest > level:
            reason = (
                f'kept as {level.label} though it has {strongest.label}, because '
                f'{weakest.item} of this image has no more'
            )
            what = f'{strongest.label} kept as {level.label}'
            image.report(CHANGED, obj.item, what, reason)
    return level


def _annotations(
    objects: Sequence[_Checked], level: Supervision | None, ids: Mapping[str, int]
) -> list[dict[str, Any]]:
    if level is Supervision.IMAGE_TAGS:
        return []
    annotations = []
    for obj, labels in objects:
        more = dict(attributes=dict(obj.attributes)) if obj.attributes else {}
        entry = dict(category_id=ids[obj.name], iscrowd=0, **labels[level], **more)
        annotations.append(entry)
    return annotations
