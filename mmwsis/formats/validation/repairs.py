"""Repairs that have one possible outcome; everything else is left to its owner."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from pycocotools import mask as mask_api

from mmwsis.structures.extreme_points import is_finite_number

from ..coco_masks import MaskError, check_polygons, checked_rle, rle_runs
from .geometry import BORDER_PIXELS, in_order
from .issues import IssueLog
from .masks import MAX_PIXELS
from .size_repairs import repair_sizes

Entry = dict[str, Any]


def repair_coco(
    coco: Entry, max_examples: int = 5, folder: str | None = None
) -> IssueLog:
    """Repair a COCO dictionary in place.

    Args:
        coco: Parsed file with the lists ``images`` and ``annotations``.
        max_examples: Examples kept per rule. Defaults to 5.
        folder: Image folder, for repairs of sizes. Defaults to None, no such repairs.

    Returns:
        What was changed, under the name of the rule that was broken.
    """
    done = IssueLog(max_examples)
    if folder is not None:
        repair_sizes(coco, folder, done)
    sizes: dict[Any, tuple[int, int]] = {}
    for image in coco['images']:
        if isinstance(image, dict):
            _repair_tags(image, done)
            size = (image.get('width'), image.get('height'))
            if all(type(value) is int and value > 0 for value in size):
                sizes[_key(image.get('id'))] = size
    annotations = coco.get('annotations')
    if not isinstance(annotations, list):
        return done
    for annotation in annotations:
        if isinstance(annotation, dict):
            size = sizes.get(_key(annotation.get('image_id')))
            _repair_annotation(annotation, size, done)
    coco['annotations'] = _without_copies(annotations, done)
    return done


def _key(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else None


def _repair_tags(image: Entry, done: IssueLog) -> None:
    tags = image.get('tags')
    if not isinstance(tags, list) or not all(isinstance(t, (int, str)) for t in tags):
        return
    kept = list(dict.fromkeys(tags))
    if len(kept) < len(tags):
        image['tags'] = kept
        done.add_image('tags-duplicate', image.get('id'), f'tags {tags} -> {kept}')


def _repair_annotation(
    annotation: Entry, size: tuple[int, int] | None, done: IssueLog
) -> None:
    def change(rule: str, key: str, value: Any) -> None:
        before = annotation.get(key)
        annotation[key] = value
        done.add_annotation(rule, annotation, f'{key} {before!r} -> {value!r}')

    points = annotation.get('extreme_points')
    ordered = sorted_extreme_points(points)
    if ordered is not None and ordered != points:
        change('extreme-order', 'extreme_points', ordered)
    if size is not None:
        for key, rule in (
            ('point', 'point-border'),
            ('extreme_points', 'extreme-border'),
        ):
            inside = _moved_inside(annotation.get(key), size)
            if inside is not None:
                change(rule, key, inside)
        box = _clipped_box(annotation.get('bbox'), size)
        if box is not None:
            change('bbox-border', 'bbox', box)
    if annotation.get('segmentation'):
        if annotation.get('iscrowd') is None:
            change('iscrowd-missing', 'iscrowd', 0)
        if annotation.get('area') is None and size is not None:
            area = mask_area(annotation['segmentation'], size)
            if area is not None:
                change('area-missing', 'area', area)


def sorted_extreme_points(points: Any) -> list[list[float]] | None:
    """The order top, left, bottom, right of four points.

    Args:
        points: What the file holds.

    Returns:
        The points in that order; None where no order or more than one fits.
    """
    if not _are_points(points, 4):
        return None
    if in_order(np.asarray([points], dtype=np.float64))[0]:
        return points
    orders = list(itertools.permutations(points))
    fits = in_order(np.asarray(orders, dtype=np.float64))
    distinct = {str(order): order for order, fit in zip(orders, fits) if fit}
    if len(distinct) != 1:
        return None
    return list(next(iter(distinct.values())))


def _are_points(points: Any, count: int) -> bool:
    return (
        isinstance(points, list)
        and len(points) == count
        and all(isinstance(p, list) and len(p) == 2 for p in points)
        and all(is_finite_number(value) for point in points for value in point)
    )


def _moved_inside(value: Any, size: tuple[int, int]) -> Any:
    """Points up to a pixel outside, moved onto the border; None: nothing to do."""
    single = _are_points([value], 1)
    if not single and not _are_points(value, 4):
        return None
    points = [value] if single else value
    moved = [[min(max(v, 0), end) for v, end in zip(p, size)] for p in points]
    distance = np.abs(np.subtract(points, moved)).max()
    if not 0 < distance <= BORDER_PIXELS:
        return None
    return moved[0] if single else moved


def _clipped_box(box: Any, size: tuple[int, int]) -> list[float] | None:
    """A box that crosses the border by up to a pixel, clipped; None: leave it."""
    if (
        not isinstance(box, list)
        or len(box) != 4
        or not all(map(is_finite_number, box))
    ):
        return None
    x, y, width, height = box
    if width <= 0 or height <= 0:
        return None
    over = max(-x, -y, x + width - size[0], y + height - size[1])
    if not 0 < over <= BORDER_PIXELS:
        return None
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, size[0]), min(y + height, size[1])
    if right <= left or bottom <= top:
        return None
    return [left, top, right - left, bottom - top]


def mask_area(segmentation: Any, size: tuple[int, int]) -> int | None:
    """Pixels of a mask.

    Args:
        segmentation: As in the file.
        size: Width and height of the image in pixels.

    Returns:
        The number, or None if the mask is broken or the image too large to be true.
    """
    width, height = size
    if width * height > MAX_PIXELS:
        return None
    try:
        if isinstance(segmentation, Mapping):
            return int(rle_runs(segmentation, height, width)[1::2].sum())
        check_polygons(segmentation)
    except MaskError:
        return None
    return int(mask_api.area(checked_rle(segmentation, height, width)))


def _without_copies(annotations: list[Any], done: IssueLog) -> list[Any]:
    """Keep the first of annotations that are equal in all but the id."""
    seen: dict[str, list[Entry]] = {}
    kept = []
    for annotation in annotations:
        if not isinstance(annotation, dict) or not _labelled(annotation):
            kept.append(annotation)
            continue
        content = _content(annotation)
        brief = {k: v for k, v in content.items() if k != 'segmentation'}
        others = seen.setdefault(json.dumps(brief, sort_keys=True), [])
        same = [other for other in others if _content(other) == content]
        if same:
            message = f'removed; equal to annotation id {same[0].get("id")!r}'
            done.add_annotation('annotation-duplicate', annotation, message)
        else:
            others.append(annotation)
            kept.append(annotation)
    return kept


def _content(annotation: Entry) -> Entry:
    return {key: value for key, value in annotation.items() if key != 'id'}


def _labelled(annotation: Entry) -> bool:
    """Whether there is a label; entries with a class alone may be equal."""
    keys = ('point', 'bbox', 'extreme_points', 'segmentation')
    return any(annotation.get(key) for key in keys)
