"""Repairs of ``width`` and ``height`` by the image files."""

import os.path as osp
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..coco_file import image_file_name
from ..image_file import read_header
from .geometry import BORDER_PIXELS
from .issues import IssueLog

Entry = dict[str, Any]
Size = tuple[int, int]


def repair_sizes(coco: Entry, folder: str, done: IssueLog) -> None:
    """Give images the upright size of their file where nothing else can be meant.

    That is so where the label file has no valid size; where the image has no label with
    coordinates; and where width and height are exchanged, as tools do that overlook the
    EXIF orientation, and the labels fit the upright image alone.

    Args:
        coco: Parsed file, changed in place.
        folder: Image folder; images that are not there or broken are left alone.
        done: Takes what was changed.
    """
    labels: dict[Any, list[Entry]] = {}
    annotations = coco.get('annotations')
    for entry in annotations if isinstance(annotations, list) else []:
        if isinstance(entry, dict):
            labels.setdefault(str(entry.get('image_id')), []).append(entry)
    for image in coco['images']:
        if not isinstance(image, dict):
            continue
        old = image.get('width'), image.get('height')
        valid = all(type(value) is int and value > 0 for value in old)
        new = _file_size(image, folder)
        if new is None or (valid and new == old):
            continue
        if valid and not _must_be(new, old, image, labels.get(str(image.get('id')))):
            continue
        image['width'], image['height'] = new
        rule = 'image-size-differs' if valid else 'image-size'
        text = f'width and height {old[0]!r} x {old[1]!r} -> {new[0]} x {new[1]}'
        done.add_image(rule, image.get('id'), text)


def _file_size(image: Entry, folder: str) -> Size | None:
    try:
        return read_header(osp.join(folder, image_file_name(image))).size
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _must_be(
    new: Size, old: Size, image: Entry, annotations: Iterable[Entry] | None
) -> bool:
    """Whether labels can belong to an image of size ``new`` only."""
    entries = [*(annotations or ()), dict(segmentation=image.get('void'))]
    masks = {size for one in entries if (size := _mask_size(one)) is not None}
    points = np.array([point for one in entries for point in _points(one)])
    if not masks and not points.size:
        return True  # nothing that a wrong size would move
    if old != new[::-1] or masks - {new}:
        return False  # of another scale, or labelled on the lying image
    far = points.reshape(-1, 2) - BORDER_PIXELS
    return bool((far <= new).all() and (masks or (far > old).any()))


def _points(annotation: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    """Coordinates of all labels, of a box its far corner."""
    flat = [annotation.get('point')]
    box = _numbers(annotation.get('bbox'))
    if len(box) == 4:
        flat.append([box[0] + box[2], box[1] + box[3]])
    for key in ('extreme_points', 'segmentation'):
        value = annotation.get(key)
        flat += value if isinstance(value, list) else []
    for values in map(_numbers, flat):
        yield from zip(values[::2], values[1::2])


def _numbers(values: Any) -> list[float]:
    """A flat list of finite numbers; empty for anything else."""
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):
        return []
    flat = array.ndim == 1 and array.dtype.kind in 'iuf' and np.isfinite(array).all()
    return array.tolist() if flat else []


def _mask_size(annotation: Mapping[str, Any]) -> Size | None:
    """Width and height of an RLE."""
    mask = annotation.get('segmentation')
    size = _numbers(mask.get('size')) if isinstance(mask, dict) else []
    return (size[1], size[0]) if len(size) == 2 else None
