"""Weak labels of a few images: checked, and written as a label file has them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmwsis.formats.categories import alike_hint, name_list
from mmwsis.structures.extreme_points import check_extreme_points
from mmwsis.structures.supervision import Supervision

from .given_images import GivenImage

# How a level is called in a call, and what an object of it is.
KINDS = {
    'tags': Supervision.IMAGE_TAGS,
    'points': Supervision.POINTS,
    'boxes': Supervision.BOXES,
    'extreme_points': Supervision.EXTREME_POINTS,
}
_SHAPES = dict(points=(2,), boxes=(4,), extreme_points=(4, 2))
_FORMS = dict(
    tags='the classes in an image',
    points='one [x, y] for each object',
    boxes='one [x0, y0, x1, y1] for each object',
    extreme_points='top, left, bottom and right [x, y] of each object',
)
# Label files, too, may be out by so much.
_TOLERANCE = 1.0


class ExpectedLabels(NamedTuple):
    """Which labels the labeler of a config takes.

    Attributes:
        kind: One of ``KINDS``; None if it looks at the image alone.
        with_tags: Whether tags may be given beside boxes, of stuff for example.
        needs_classes: Whether objects need a class.
        level: Level that its dataset is declared with; None without labels.
    """

    kind: str | None
    with_tags: bool = False
    needs_classes: bool = True
    level: Supervision | None = None


def expected_labels(dataset: Mapping[str, Any]) -> ExpectedLabels:
    """Find out what labels a dataset hands to the model.

    Args:
        dataset: That of ``pseudo_label_dataloader``.

    Returns:
        What to give.

    Raises:
        ValueError: It reads masks, which are no weak labels.
    """
    name = str(dataset['type']).rpartition('.')[2]
    if name == 'UnlabelledImageDataset':
        return ExpectedLabels(None)
    level = Supervision.parse(dataset['supervision'])
    # Masks are no weak labels: such a dataset is a mix, of which boxes are a part.
    kind = {value: key for key, value in KINDS.items()}.get(level, 'boxes')
    if name == 'ObjectCropDataset':
        return ExpectedLabels(kind, needs_classes=False, level=level)
    steps = {str(step['type']).rpartition('.')[2]: step for step in dataset['pipeline']}
    if 'PackPrompts' in steps:
        if level is Supervision.MASKS:
            raise ValueError(
                'this config refines masks that a label file holds; label that file by '
                'tools/generate_pseudo_labels.py.'
            )
        return ExpectedLabels(kind, needs_classes=False, level=level)
    reads_tags = steps.get('PackWeakInputs', {}).get('with_tags', True)
    if level is Supervision.IMAGE_TAGS:
        return ExpectedLabels(kind if reads_tags else None, level=level)
    if not {'LoadWeakAnnotations', 'LoadAnnotations'} & steps.keys():
        return ExpectedLabels(None, level=level)
    return ExpectedLabels(kind, kind == 'boxes' and reads_tags, level=level)


def coco_of_labels(
    images: Sequence[GivenImage],
    given: Mapping[str, Any],
    labels: Any,
    expected: ExpectedLabels,
    classes: Sequence[str],
    stuff_classes: Sequence[str] = (),
) -> dict[str, Any]:
    """Write weak labels as a label file has them.

    Args:
        images: The images; their ids are 0, 1, ...
        given: Kind -> one list for each image; kinds that were not given are None.
        labels: Names or indices, one list for each image, of its objects; or None.
        expected: What the labeler takes.
        classes: Class names; the category ids are 1, 2, ...
        stuff_classes: Those of stuff. Defaults to none.

    Returns:
        COCO JSON with as many annotations as there are objects, in their order.

    Raises:
        ValueError: Other kinds than the labeler takes, counts that differ, unknown
            classes, or coordinates that are none or outside the image; the message
            names the image and the object by their places.
    """
    _check_kinds(given, labels, expected)
    present = {key: value for key, value in given.items() if value is not None}
    if labels is not None:
        present['labels'] = labels
    rows = {key: _per_image(key, value, len(images)) for key, value in present.items()}
    coco: dict[str, Any] = dict(images=[], annotations=[], categories=[])
    for number, name in enumerate(classes, 1):
        isthing = int(name not in stuff_classes)
        coco['categories'].append(dict(id=number, name=name, isthing=isthing))
    for index, image in enumerate(images):
        height, width = image.size
        entry = dict(id=index, file_name=image.file_name(index))
        entry.update(width=width, height=height)
        own = {key: value[index] for key, value in rows.items()}
        objects = _objects(own, image.size, f'images[{index}]', expected, classes)
        if 'tags' in own:
            where = f'images[{index}]: tags'
            tags = {_class_index(tag, classes, where) + 1 for tag in own['tags']}
            tags |= {one['category_id'] for one in objects}
            entry['tags'] = sorted(tags)
        if expected.level is Supervision.MASKS:
            entry['supervision'] = Supervision.BOXES.label
        coco['images'].append(entry)
        for one in objects:
            number = len(coco['annotations']) + 1
            coco['annotations'].append(dict(id=number, image_id=index, **one))
    return coco


def _check_kinds(
    given: Mapping[str, Any], labels: Any, expected: ExpectedLabels
) -> None:
    allowed = {expected.kind} | ({'tags'} if expected.with_tags else set())
    wrong = [key for key, value in given.items() if value is not None]
    wrong = [key for key in wrong if key not in allowed]
    kind = expected.kind
    if kind is None:
        takes = 'this labeler takes images without labels'
    else:
        takes = f'this labeler takes {kind}= ({_FORMS[kind]})'
    if wrong:
        raise ValueError(f'{takes}, got {", ".join(f"{key}=" for key in wrong)}.')
    if kind is not None and given[kind] is None:
        raise ValueError(f'{takes}; give them.')
    if labels is not None and kind not in _SHAPES:
        raise ValueError(f'{takes}; labels= are the classes of objects.')


def _per_image(key: str, value: Any, count: int) -> list[list[Any]]:
    """Refuse what is not one list for each image."""
    if isinstance(value, str) or not hasattr(value, '__len__'):
        raise ValueError(f'{key} must be a list with one list for each image.')
    if len(value) != count:
        raise ValueError(
            f'{key} has {len(value)} entries, there are {count} images; give one list '
            'for each image, an empty one where there is nothing.'
        )
    for index, own in enumerate(value):
        if isinstance(own, str) or not hasattr(own, '__len__'):
            raise ValueError(f'images[{index}]: {key} must be a list, got {own!r}.')
    return [list(own) for own in value]


def _objects(
    own: Mapping[str, list[Any]],
    size: tuple[int, int],
    where: str,
    expected: ExpectedLabels,
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """Annotations of one image, without ids."""
    kind = expected.kind
    if kind not in _SHAPES:
        return []
    shapes = own[kind]
    # Without a choice nobody has to name the class.
    free = not expected.needs_classes or len(classes) == 1
    labels = own.get('labels', [0] * len(shapes) if free else None)
    if labels is None:
        raise ValueError(
            f'labels= is missing: this labeler needs the class of every object, a name '
            f'or an index; it knows {name_list(classes)}.'
        )
    if len(labels) != len(shapes):
        raise ValueError(
            f'{where} has {len(shapes)} {kind.replace("_", " ")} and {len(labels)} '
            'labels; every object needs one of each.'
        )
    found = []
    for index, (shape, label) in enumerate(zip(shapes, labels)):
        place = f'{where}, object {index}'
        label = _class_index(label, classes, place)
        values = _numbers(shape, kind, place)
        found.append(
            dict(category_id=label + 1, iscrowd=0, **_shape(values, kind, size, place))
        )
    return found


def _class_index(value: Any, classes: Sequence[str], where: str) -> int:
    if isinstance(value, str):
        if value in classes:
            return classes.index(value)
        raise ValueError(
            f'{where}: unknown class {value!r}; the classes are {name_list(classes)}.'
            f'{alike_hint([value], classes)}'
        )
    is_index = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_index or not 0 <= value < len(classes):
        raise ValueError(
            f'{where}: a class is a name, or an index from 0 to {len(classes) - 1}; '
            f'got {value!r}.'
        )
    return int(value)


def _numbers(shape: Any, kind: str, where: str) -> np.ndarray:
    try:
        values = np.asarray(shape, dtype=float)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape != _SHAPES[kind] or not np.isfinite(values).all():
        raise ValueError(
            f'{where}: {kind} are {_FORMS[kind]}, finite numbers in pixels; got '
            f'{shape!r}.'
        )
    return values


def _shape(
    values: np.ndarray, kind: str, size: tuple[int, int], where: str
) -> dict[str, Any]:
    """What the annotation of an object says of its place."""
    corners = values.reshape(-1, 2)
    limits = np.array(size[::-1], dtype=float)
    name = f'{where}: {kind.removesuffix("es" if kind == "boxes" else "s")}'
    if kind == 'boxes':
        (x0, y0), (x1, y1) = corners.tolist()
        if x1 < x0 or y1 < y0:
            raise ValueError(f'{name} {values.tolist()} is not [x0, y0, x1, y1].')
        if (corners[1] <= 0).any() or (corners[0] >= limits).any():
            raise ValueError(f'{name} {values.tolist()} {_outside(size)}')
        return dict(bbox=[x0, y0, x1 - x0, y1 - y0])
    if kind == 'extreme_points':
        check_extreme_points(values.tolist(), where)
    if ((corners < -_TOLERANCE) | (corners > limits + _TOLERANCE)).any():
        raise ValueError(f'{name} {values.tolist()} {_outside(size)}')
    # A little outside is on the border: not every transform takes what label files may
    # hold.
    inside = corners.clip(0, limits).reshape(values.shape)
    return {'point' if kind == 'points' else kind: inside.tolist()}


def _outside(size: tuple[int, int]) -> str:
    return f'lies outside the image of {size[1]} x {size[0]} pixels.'
