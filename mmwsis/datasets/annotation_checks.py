"""Checks of a COCO dictionary after the leak guard; errors name file and ids."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mmwsis.structures.supervision import (
    Supervision,
    annotation_place,
    box_of_extreme_points,
    image_supervision,
)

Annotation = dict[str, Any]

# A box this many times the image's side is a unit error, and its crop would not fit
# into memory.
_MAX_BOX_IN_IMAGES = 3
_POINT_TOLERANCE = 1.0


def check_coco(coco: Mapping[str, Any], level: Supervision, source: str) -> None:
    """Refuse what no data set can be read from.

    Args:
        coco: Result of :func:`mmwsis.structures.restrict_coco`. Points up to one pixel
            outside their image are moved onto its border, in place.
        level: Supervision level of the data set.
        source: Name of the file, for error messages.

    Raises:
        ValueError: Names the file, the image id and the annotation id.
    """
    category_ids = _check_categories(coco['categories'], source)
    # Before the images, whose tags hold the categories of their annotations.
    _check_ids(coco['annotations'], category_ids, source)
    for image in coco['images']:
        _check_image(image, category_ids, source)
    images = {image['id']: image for image in coco['images']}
    levels = {key: image_supervision(im, level, source) for key, im in images.items()}
    annotations = coco['annotations']
    by_level: dict[Supervision, list[Annotation]] = {}
    for annotation in annotations:
        by_level.setdefault(levels[annotation['image_id']], []).append(annotation)
    for own, group in by_level.items():
        _check_clicks('point', group, images, own, source)
        if own >= Supervision.BOXES:
            _check_clicks('extreme_points', group, images, own, source)
            _check_boxes(group, images, source)


def _check_categories(categories: Sequence[Any], source: str) -> set[Any]:
    for index, category in enumerate(categories):
        if not isinstance(category, Mapping) or not {'id', 'name'} <= category.keys():
            raise ValueError(
                f'{source}: categories[{index}] must have id and name; '
                f'got {category!r}.'
            )
    for key in ('id', 'name'):
        twice = _first_duplicate(category[key] for category in categories)
        if twice is not None:
            raise ValueError(
                f'{source}: two categories have the {key} {twice!r}; it must be unique.'
            )
    return {category['id'] for category in categories}


def _check_image(image: Mapping[str, Any], category_ids: set[Any], source: str) -> None:
    where = f'{source}: image id {image["id"]!r}'
    for key in ('width', 'height'):
        if not isinstance(image.get(key), int) or image[key] < 1:
            raise ValueError(
                f'{where}: {key} must be a positive integer (pixels); '
                f'got {image.get(key)!r}.'
            )
    if not (image.get('file_name') or image.get('coco_url')):
        raise ValueError(f'{where}: file_name is missing.')
    tags = image['tags']
    unknown = [tag for tag in tags if tag not in category_ids]
    if unknown:
        raise ValueError(
            f'{where}: category id {unknown[0]!r}, from tags or from an annotation, is '
            f'not in categories; known ids: {_some(category_ids)}. Add the category '
            'or mend the id.'
        )


def _check_ids(
    annotations: Sequence[Annotation], category_ids: set[Any], source: str
) -> None:
    for annotation in annotations:
        if annotation['category_id'] not in category_ids:
            raise ValueError(
                f'{annotation_place(source, annotation)}: category_id '
                f'{annotation["category_id"]!r} is not in categories; known ids: '
                f'{_some(category_ids)}. Add the category or mend the id.'
            )
        if 'id' not in annotation:
            raise ValueError(
                f'{annotation_place(source, annotation)}: every annotation needs an id.'
            )
    twice = _first_duplicate(annotation['id'] for annotation in annotations)
    if twice is not None:
        owners = [ann['image_id'] for ann in annotations if ann['id'] == twice]
        raise ValueError(
            f'{source}: annotation id {twice!r} appears {len(owners)} times (image ids '
            f'{owners[:5]}); ids must be unique over the whole file.'
        )


def _check_clicks(
    key: str,
    annotations: Sequence[Annotation],
    images: Mapping[Any, Any],
    level: Supervision,
    source: str,
) -> None:
    """Check ``point`` or ``extreme_points``; its own level needs it on every object."""
    native = Supervision.POINTS if key == 'point' else Supervision.EXTREME_POINTS
    having = []
    for annotation in annotations:
        if annotation.get(key) is not None:
            having.append(annotation)
        elif level is native and not annotation.get('iscrowd'):
            raise ValueError(
                f'{annotation_place(source, annotation)}: supervision '
                f'{level.label!r} needs the key {key}; '
                'tools/dataset_converters/coco2weak.py derives it from masks.'
            )
    if not having:
        return
    if key == 'point':
        points = _numbers(having, key, (2,), 'one [x, y]', source)[:, None]
    else:
        shape = 'four [x, y] (top, left, bottom, right)'
        points = _numbers(having, key, (4, 2), shape, source)
    sizes = _image_sizes(having, images)
    moved = _clip_points(having, key, points, sizes, source)
    if level is Supervision.EXTREME_POINTS and key == 'extreme_points':
        for annotation in moved:
            box = box_of_extreme_points(annotation[key])
            annotation.update(bbox=box, area=box[2] * box[3])


def _clip_points(
    annotations: Sequence[Annotation],
    key: str,
    points: np.ndarray,
    sizes: np.ndarray,
    source: str,
) -> list[Annotation]:
    """Move points (n, k, 2) into images of sizes (n, 2), each (width, height).

    Returns the annotations that were changed.
    """
    clipped = np.clip(points, 0, sizes[:, None])
    distance = np.abs(points - clipped).max(axis=(1, 2))
    far = np.flatnonzero(distance > _POINT_TOLERANCE)
    if far.size:
        annotation, (width, height) = annotations[far[0]], sizes[far[0]].astype(int)
        raise ValueError(
            f'{annotation_place(source, annotation)}: {key} {annotation[key]!r} lies '
            f'{distance[far[0]]:g} px outside the image of {width} x {height} pixels '
            '(up to 1 px is moved onto the border). Are coordinates [x, y] in pixels '
            'of this image?'
        )
    moved = []
    for index in np.flatnonzero(distance > 0):
        inside = clipped[index].tolist()
        annotations[index][key] = inside if key == 'extreme_points' else inside[0]
        moved.append(annotations[index])
    return moved


def _check_boxes(
    annotations: Sequence[Annotation],
    images: Mapping[Any, Any],
    source: str,
) -> None:
    shape = '[x, y, width, height]'
    boxes = _numbers(annotations, 'bbox', (4,), shape, source)
    sizes = _image_sizes(annotations, images)
    low, extent = boxes[:, :2], boxes[:, 2:]
    reasons = {
        'width and height must not be negative': extent < 0,
        'the box must intersect its image': (low >= sizes) | (low + extent < 0),
        f'the box is more than {_MAX_BOX_IN_IMAGES} times as large as its image': (
            extent > _MAX_BOX_IN_IMAGES * sizes
        ),
    }
    for reason, broken in reasons.items():
        bad = np.flatnonzero(broken.any(axis=1))
        if bad.size:
            annotation, (width, height) = annotations[bad[0]], sizes[bad[0]].astype(int)
            raise ValueError(
                f'{annotation_place(source, annotation)}: {reason}; got bbox '
                f'{annotation["bbox"]!r} ([x, y, width, height]) in an image of '
                f'{width} x {height} pixels.'
            )


def _numbers(
    annotations: Sequence[Annotation],
    key: str,
    shape: tuple[int, ...],
    description: str,
    source: str,
) -> np.ndarray:
    """Stack ``annotation[key]`` into float64 (n, *shape), all finite."""
    values = [annotation.get(key) for annotation in annotations]
    array = _float_array(values)
    if array is not None and array.shape == (len(values), *shape):
        finite = np.isfinite(array.reshape(len(values), -1)).all(axis=1)
        bad = np.flatnonzero(~finite)
        if not bad.size:
            return array
        index = int(bad[0])
    else:
        arrays = map(_float_array, values)
        index = next(i for i, a in enumerate(arrays) if a is None or a.shape != shape)
    annotation = annotations[index]
    raise ValueError(
        f'{annotation_place(source, annotation)}: {key} must be {description}, finite '
        f'numbers in pixels; got {annotation.get(key)!r}.'
    )


def _float_array(value: Any) -> np.ndarray | None:
    """``value`` as float64, or None if it is ragged or holds what is no number."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array.astype(np.float64) if array.dtype.kind in 'iuf' else None


def _image_sizes(
    annotations: Iterable[Annotation], images: Mapping[Any, Any]
) -> np.ndarray:
    owners = (images[annotation['image_id']] for annotation in annotations)
    sizes = [(image['width'], image['height']) for image in owners]
    return np.asarray(sizes, dtype=np.float64).reshape(-1, 2)


def _first_duplicate(values: Iterable[Any]) -> Any:
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def _some(values: Iterable[Any], limit: int = 20) -> str:
    listed = sorted(values, key=str)
    more = f' and {len(listed) - limit} more' if len(listed) > limit else ''
    return ', '.join(map(repr, listed[:limit])) + more
