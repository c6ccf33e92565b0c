"""Regions of Label Studio: from percent and labels to shapes."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmwsis.formats.coco_masks import shorten

from .image_files import displayed_size
from .image_search import ImageFolder
from .labelstudio_brush import decode_brush
from .records import (
    CHANGED,
    INVALID,
    LEFT_OUT,
    MAX_PIXELS,
    LabelledImage,
    Point,
    finite_number,
    point_list,
)
from .settings import ImportSettings
from .shapes import Shape, box_around_rotated, keep_rotated

# Type of a result -> kind of shape; the value holds the labels under the type's name.
SHAPES = {
    'keypointlabels': 'clicks',
    'rectanglelabels': 'box',
    'polygonlabels': 'polygon',
    'brushlabels': 'mask',
}


def value_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a result says.

    Args:
        entry: The result.

    Returns:
        Its ``value``; nothing if it is broken.
    """
    value = entry.get('value')
    return value if isinstance(value, Mapping) else {}


def are_names(value: Any) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def kind_of(entry: Mapping[str, Any]) -> str | None:
    """Kind of shape of a region that bears its labels.

    Args:
        entry: The result.

    Returns:
        'clicks', 'box', 'polygon' or 'mask'; None for anything else.
    """
    kind = entry.get('type')
    if not isinstance(kind, str):
        return None
    if kind != 'labels':
        return SHAPES.get(kind)
    # <Labels> beside <Rectangle> and the like: one type for all, told apart by keys.
    keys = value_of(entry).keys()
    if 'points' in keys or 'rle' in keys:
        return 'polygon' if 'points' in keys else 'mask'
    if {'x', 'y'} <= keys and 'radiusX' not in keys:
        return 'box' if 'height' in keys else 'clicks'
    return None


def shape_of(
    entry: Mapping[str, Any],
    item: str,
    image: LabelledImage,
    settings: ImportSettings,
    folder: ImageFolder,
) -> Shape | None:
    """Read one region.

    Args:
        entry: A result that has a kind of shape.
        item: Where it stands, for messages.
        image: Gets its size, and what could not be kept as issues.
        settings: How rotated boxes are read.
        folder: The images; looked at where the result does not say their size.

    Returns:
        The shape, or None if it is left out.
    """
    kind, value = entry['type'], value_of(entry)
    labels = value.get(kind) if are_names(value.get(kind)) else None
    if labels is not None and len(labels) != 1:
        reason = f'an object has one class, this region has {labels or "none"}'
        image.report(LEFT_OUT, item, 'region without one class', reason, labels)
        return None
    if kind == 'keypointlabels' and not value.keys() & {'x', 'y'}:
        reason = 'a keypoint without a place, as assistants leave behind'
        image.report(LEFT_OUT, item, 'keypoint without a place', reason, labels or [])
        return None
    if entry.get('image_rotation'):
        reason = (
            f'drawn on the image turned by {shorten(entry["image_rotation"])} degrees; '
            'turn the image file itself instead'
        )
        image.report(LEFT_OUT, item, 'region of a turned image', reason, labels or [])
        return None
    try:
        if labels is None:
            raise ValueError(
                f'the value must have {kind}, got {shorten(entry.get("value"))}'
            )
        name, size = image.class_name(labels[0]), _set_size(entry, image, folder)
        shape_kind, place = kind_of(entry), f'{item} {name!r}'
        if shape_kind == 'mask':
            mask = _mask(value, size, item, image, labels)
            shape = mask and Shape('mask', name, place, mask=mask)
        else:
            shape = Shape(shape_kind, name, place, _points(value, shape_kind, size))
        if shape is not None:
            _add_notes(shape, entry, settings)
        if shape_kind == 'mask':
            return shape
        try:
            degrees = finite_number(value.get('rotation') or 0) % 360
        except ValueError as error:
            raise ValueError(f'rotation must be degrees: {error}') from None
    except ValueError as error:
        image.report(INVALID, item, kind, str(error), labels or [])
        return None
    if shape.kind == 'polygon' and value.get('closed') is False:
        reason = 'the polygon was left open; its last corner is joined to its first'
        image.report(CHANGED, item, 'open polygon', reason)
    if shape.kind == 'box' and degrees:
        corners = (*shape.points[0], *shape.points[1])
        shape.points = box_around_rotated(corners, degrees, shape.points[0])
        return keep_rotated(shape, degrees, image, settings)
    return shape


def _add_notes(
    shape: Shape, entry: Mapping[str, Any], settings: ImportSettings
) -> None:
    """What an export has written beside the region."""
    meta = entry.get('meta')
    notes = meta.get('text') if isinstance(meta, Mapping) else None
    notes = notes if are_names(notes) else []
    if 'iscrowd' in notes:
        shape.attributes['iscrowd'] = True
    if type(entry.get('score')) in (int, float):
        shape.attributes['score'] = entry['score']
    ids = [note[3:] for note in notes if note.startswith('id ')]
    if settings.keep_ids and ids and ids[0].isdecimal():
        shape.id, shape.parts = int(ids[0]), 1  # exports write one region an object
        shape.group = ('id', shape.id)


def _mask(
    value: Mapping[str, Any],
    size: tuple[int, int],
    item: str,
    image: LabelledImage,
    labels: Sequence[str],
) -> tuple[int, int, Any] | None:
    try:
        return 0, 0, decode_brush(value.get('rle'), *size)
    except ValueError as error:
        reason = f'a brush mask that cannot be read ({error}); draw polygons instead'
        image.report(LEFT_OUT, item, 'result brushlabels', reason, labels)
        return None


def _set_size(
    entry: Mapping[str, Any], image: LabelledImage, folder: ImageFolder
) -> tuple[int, int]:
    """Size of the image in pixels: that of the result, or else of the image file."""
    said = entry.get('original_width'), entry.get('original_height')
    size = tuple(int(x) if isinstance(x, float) and x.is_integer() else x for x in said)
    if said == (None, None):
        if image.width is None:
            found = folder.find(image.paths)
            if found.path is None:
                raise ValueError(
                    'the result has no original_width and original_height, and '
                    f'{found.error}'
                )
            image.width, image.height = displayed_size(found.path)
        return image.width, image.height
    if not all(type(side) is int and side > 0 for side in size):
        raise ValueError(
            f'original_width and original_height must be pixels, got {shorten(said)}'
        )
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f'no image has {size[0]}x{size[1]} pixels')
    if image.width is None:
        image.width, image.height = size
    if (image.width, image.height) != size:
        raise ValueError(
            f'the image is {size[0]}x{size[1]} here and {image.width}x{image.height} '
            'in a result before'
        )
    return size


def _points(value: Mapping[str, Any], kind: str, size: tuple[int, int]) -> list[Point]:
    keys = ('x', 'y', 'width', 'height') if kind == 'box' else ('x', 'y')
    try:
        if kind == 'polygon':
            percent = point_list(value['points'])
        else:
            x, y, *extent = (finite_number(value[key]) for key in keys)
            corner = [(x + extent[0], y + extent[1])] if extent else []
            percent = [(x, y), *corner]
        return [(x / 100 * size[0], y / 100 * size[1]) for x, y in percent]
    except (KeyError, ValueError) as error:
        raise ValueError(
            f'the value needs {"points" if kind == "polygon" else ", ".join(keys)} in '
            f'percent, got {shorten(dict(value))}: {error}'
        ) from None
