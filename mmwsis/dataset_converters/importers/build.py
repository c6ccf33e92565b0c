"""From what an annotator drew to an image of a label file, and its supervision level.

An image has one level, the strongest that all its objects have. A mask gives every
weaker label, extreme points give a box; a box gives no click and no extreme points.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmwsis.structures.extreme_points import box_of_extreme_points
from mmwsis.structures.supervision import Supervision

from ..weak_labels import WeakProtocol, derive_weak_labels
from .image_files import displayed_size
from .object_masks import OUTSIDE, Size, report_reach, segmentation_of, tidy
from .records import (
    CHANGED,
    INVALID,
    LEFT_OUT,
    MAX_PIXELS,
    BuiltImage,
    LabelledImage,
    LabelledObject,
    Point,
)
from .settings import ImportSettings
from .shapes import sort_extreme_points

# As in the validator: boxes are drawn by hand.
_BOX_PIXELS, _BOX_SHARE = 2.0, 0.05
_SHARED_LEVELS = 'objects of an image without a common level'

_TRUE = (1, '1', 'true')  # 1 is True, too

Labels = dict[Supervision, dict[str, Any]]
# An object and what it says at each level that it has.
_Checked = tuple[LabelledObject, Labels]


def build_image(
    image: LabelledImage, settings: ImportSettings, ids: Mapping[str, int]
) -> BuiltImage:
    """Check an image and its objects and decide its level.

    Args:
        image: What was read, with its file; gets what is found here as issues.
        settings: The user's choices, with an image folder.
        ids: Category id by class name.

    Returns:
        The image. What is broken is an issue of kind 'invalid'; nothing is raised.
    """
    built = BuiltImage(
        image.source,
        image.issues,
        is_found=image.file is not None,
        file_name=image.file_name,
        clicks_in_one=image.clicks_in_one,
    )
    if image.is_left_out:
        return built
    try:
        size = _size(image, settings)
    except ValueError as error:
        image.report(INVALID, '', 'image', str(error))
        return built
    objects: list[_Checked] = []
    names = {name for name in image.tags if name not in settings.ignored}
    for obj in image.objects:
        if obj.item in image.used_holes:
            continue
        if obj.name in settings.ignored:
            reason = 'its label is one to ignore'
            image.report(LEFT_OUT, obj.item, f'label {obj.name!r}', reason)
            continue
        names.add(obj.name)
        _tidy_attributes(obj, image)
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
    entry = dict(file_name=image.file_name, width=size[0], height=size[1])
    entry['tags'] = sorted(ids[name] for name in names)
    record = dict(image=entry, objects=_annotations(objects, level, ids))
    return built._replace(record=record, level=level)


def _size(image: LabelledImage, settings: ImportSettings) -> Size:
    """Width and height of the image, by its file if there is one."""
    said = (image.width, image.height)
    if image.file is not None:
        size = displayed_size(image.file)
        if None not in said and said != size:
            raise ValueError(
                f'the labels were made on an image of {said[0]}x{said[1]} pixels, '
                f'{image.file} has {size[0]}x{size[1]}'
            )
        said = size
    if None in said:
        raise ValueError(
            f'the size of the image is not known: the labels do not say it, and '
            f'{image.file_name} is not in {settings.img_dir}; give --img-dir'
        )
    if said[0] * said[1] > MAX_PIXELS:
        raise ValueError(f'no image has {said[0]}x{said[1]} pixels')
    return said


def _tidy_attributes(obj: LabelledObject, image: LabelledImage) -> None:
    """Leave out attributes that a JSON cannot hold, such as NaN."""
    for name, value in list(obj.attributes.items()):
        try:
            json.dumps({name: value}, allow_nan=False)
        except (ValueError, RecursionError):
            del obj.attributes[name]
            reason = f'its attribute {name!r} is nothing that a JSON can hold'
            image.report(LEFT_OUT, obj.item, 'attribute', reason)


def _labels(
    obj: LabelledObject,
    size: Size,
    image: LabelledImage,
    settings: ImportSettings,
) -> Labels:
    """What an object says at each level that it has."""
    labels: Labels = {}
    if obj.polygons or obj.masks:
        labels = _labels_of_mask(obj, size, image)
    if obj.box is not None:
        box, reach = _box(obj.box, size)
        report_reach(reach, 'box', obj, image)
        if Supervision.MASKS in labels:
            _compare_boxes(box, labels[Supervision.MASKS]['bbox'], obj, image)
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
        extreme = [tidy(point) for point in points]
        box = _box_label(box_of_extreme_points(extreme))
        if not box['area']:
            raise ValueError(
                f'the four clicks {extreme} have a box without an area; they must be '
                'at the top, left, bottom and right of the object'
            )
        labels[Supervision.EXTREME_POINTS] = dict(extreme_points=extreme, **box)
        labels[Supervision.BOXES] = box
        if Supervision.MASKS in labels:
            labels[Supervision.MASKS]['extreme_points'] = extreme
    if obj.point is not None:
        labels[Supervision.POINTS] = dict(point=_pixel(_point(obj.point, size), size))
        for level in labels:
            if level > Supervision.POINTS:
                labels[level] = {**labels[level], **labels[Supervision.POINTS]}
    elif settings.points_from_boxes and Supervision.BOXES in labels:
        x, y, width, height = labels[Supervision.BOXES]['bbox']
        middle = _pixel((x + width / 2, y + height / 2), size)
        labels.setdefault(Supervision.POINTS, dict(point=middle))
    return labels


def _compare_boxes(
    box: Sequence[float],
    own: Sequence[float],
    obj: LabelledObject,
    image: LabelledImage,
) -> None:
    """Say that a box and the mask in its group are not those of one object."""
    (x, y, w, h), (u, v, width, height) = box, own
    tolerance = max(_BOX_PIXELS, _BOX_SHARE * max(width, height))
    ends = (x - u, y - v, x + w - u - width, y + h - v - height)
    if max(map(abs, ends)) > tolerance:
        reason = (
            f'the box {list(box)} of the group is not that of the mask, {list(own)}, '
            'which is kept; are these two objects?'
        )
        image.report(CHANGED, obj.item, 'box that contradicts its mask', reason)


def _labels_of_mask(obj: LabelledObject, size: Size, image: LabelledImage) -> Labels:
    width, height = size
    segmentation, crop, box = segmentation_of(obj, size, image)
    weak = derive_weak_labels(
        dict(id=0, segmentation=segmentation),
        (height, width),
        (Supervision.POINTS, Supervision.EXTREME_POINTS),
        WeakProtocol(),
    )
    if box is None:
        # COCO's boxes: the bounds of polygons, the pixels of bitmaps.
        xs, ys = zip(*(point for polygon in obj.polygons for point in polygon))
        box, _ = _box((min(xs), min(ys), max(xs), max(ys)), size)
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


def _box(corners: Sequence[float], size: Size) -> tuple[list[float], float]:
    """Cut a box at the border; also by how many pixels it left the image."""
    if not all(map(math.isfinite, corners)):
        raise ValueError(f'the box must have finite corners, got {tuple(corners)}')
    limits = (*size, *size)
    cut = [min(max(value, 0.0), limit) for value, limit in zip(corners, limits)]
    x0, y0, x1, y1 = tidy(cut)
    if x1 <= x0 or y1 <= y0:
        raise ValueError(
            f'the box {tuple(corners)} has no area in the image of {size[0]}x{size[1]} '
            'pixels'
        )
    reach = max(abs(a - b) for a, b in zip(corners, cut))
    return tidy((x0, y0, x1 - x0, y1 - y0)), reach


def _box_label(box: Sequence[float]) -> dict[str, Any]:
    return dict(bbox=list(box), area=tidy((box[2] * box[3],))[0])


def _point(point: Point, size: Size) -> Point:
    """Move a click that is a little outside onto the border."""
    if not all(map(math.isfinite, point)):
        raise ValueError(f'a point must have finite coordinates, got {point}')
    for value, side in zip(point, size):
        if value < -OUTSIDE or value > side + OUTSIDE:
            raise ValueError(
                f'the point ({point[0]:g}, {point[1]:g}) is outside the image of '
                f'{size[0]}x{size[1]} pixels'
            )
    x, y = (min(max(value, 0.0), side) for value, side in zip(point, size))
    return x, y


def _pixel(point: Point, size: Size) -> list[int]:
    """The pixel that was clicked: a point names one, by its column and row."""
    return [min(math.floor(value), side - 1) for value, side in zip(point, size)]


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
        attributes = dict(obj.attributes)
        iscrowd = int(attributes.pop('iscrowd', 0) in _TRUE)
        entry = dict(category_id=ids[obj.name], iscrowd=iscrowd, **labels[level])
        if attributes:
            entry['attributes'] = attributes
        if obj.id is not None:
            entry['id'] = obj.id
        annotations.append(entry)
    return annotations
