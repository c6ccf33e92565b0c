"""Supervision levels and the leak guard: which keys each level may read.

The guard is an allow-list. It works on the raw COCO dictionary, before any index,
filter or transform sees it, so that a dataset declared with points cannot reach a
box or a mask, nor anything computed from one (``area`` included).
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from .extreme_points import (
    are_extreme_points,
    box_of_extreme_points,
    check_extreme_points,
)


class Supervision(IntEnum):
    """How much the annotator told, weakest first; levels compare with ``<``.

    ``IMAGE_TAGS``: classes present in the image. ``POINTS``: one ``[x, y]`` per object.
    ``BOXES``: the tight box. ``EXTREME_POINTS``: topmost, leftmost, bottommost and
    rightmost ``[x, y]`` of an object. ``MASKS``: full masks.

    Example:
        >>> Supervision.parse('points') < Supervision.BOXES
        True
    """

    IMAGE_TAGS = 0
    POINTS = 1
    BOXES = 2
    EXTREME_POINTS = 3
    MASKS = 4

    @property
    def label(self) -> str:
        """The name written in configs and files, for example ``'extreme_points'``."""
        return self.name.lower()

    @classmethod
    def parse(cls, value: 'str | Supervision') -> 'Supervision':
        """Turn the name written in a config or file into a level.

        Args:
            value: A level, or its name: 'image_tags', 'points', 'boxes',
                'extreme_points' or 'masks'.

        Returns:
            The level.

        Raises:
            ValueError: The name is none of the five.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and value == value.lower():
            member = cls.__members__.get(value.upper())
            if member is not None:
                return member
        names = ', '.join(repr(level.label) for level in cls)
        raise ValueError(f'supervision must be one of {names}, got {value!r}.')


# What labels an object, and the level that may read it.
LABEL_KEYS = {
    'point': Supervision.POINTS,
    'bbox': Supervision.BOXES,
    'extreme_points': Supervision.EXTREME_POINTS,
    'segmentation': Supervision.MASKS,
}
# A score goes with the strongest label of its annotation: see :func:`strongest_label`.
_POINT_KEYS = ('id', 'image_id', 'category_id', 'iscrowd', 'point', 'score')
_BOX_KEYS = (*_POINT_KEYS, 'bbox')
_EXTREME_POINT_KEYS = (*_BOX_KEYS, 'extreme_points')

# MASKS is absent: it may read everything. IMAGE_TAGS has no annotations at all, even
# their number would tell how many objects there are.
ANNOTATION_KEYS: dict[Supervision, tuple[str, ...]] = {
    Supervision.POINTS: _POINT_KEYS,
    Supervision.BOXES: _BOX_KEYS,
    Supervision.EXTREME_POINTS: _EXTREME_POINT_KEYS,
}
# The last two are LVIS's: verified absent classes, and present ones of which not every
# object is annotated. They tell what is in the image, as tags do, and nothing more.
IMAGE_KEYS = (
    'id',
    'file_name',
    'coco_url',
    'width',
    'height',
    'tags',
    'crop_tags',
    'supervision',
    'neg_category_ids',
    'not_exhaustive_category_ids',
)
CATEGORY_KEYS = (
    'id',
    'name',
    'supercategory',
    'isthing',
    'color',
    'frequency',
    'synset',
)
_INFO_KEYS = (
    'description',
    'url',
    'version',
    'year',
    'contributor',
    'date_created',
    'mmwsis',
)


def strongest_label(annotation: Mapping[str, Any]) -> Supervision | None:
    """The level of the strongest label that an annotation holds.

    A ``score`` says how sure that label is: of a mask how good the mask, of a point
    whether an object is there. So a level may read a score only if it may read the
    strongest label of the annotation.

    Args:
        annotation: One entry of ``annotations``.

    Returns:
        The level; None without any label, as crowds have it at points.

    Example:
        >>> strongest_label(dict(point=[5, 6], bbox=[1, 2, 9, 9], score=0.8)).label
        'boxes'
    """
    held = (
        level
        for key, level in LABEL_KEYS.items()
        if annotation.get(key) is not None and annotation[key] != []
    )
    return max(held, default=None)


def _restrict(
    annotation: Mapping[str, Any], level: Supervision, source: str
) -> dict[str, Any]:
    keys = ANNOTATION_KEYS[level]
    kept = {key: annotation[key] for key in keys if key in annotation}
    if 'score' in kept:
        strongest = strongest_label(annotation)
        if strongest is None or strongest > level:
            del kept['score']
    points = kept.get('extreme_points')
    if points is not None:
        if not are_extreme_points(points):
            check_extreme_points(points, annotation_place(source, annotation))
        kept['bbox'] = box_of_extreme_points(points)
    box = kept.get('bbox')
    if box is not None:
        try:
            _, _, width, height = box
            kept['area'] = width * height
        except (TypeError, ValueError):
            raise ValueError(
                f'{annotation_place(source, annotation)}: bbox must be [x, y, width, '
                f'height], finite numbers in pixels; got {box!r}.'
            ) from None
    return kept


def annotation_place(source: str, annotation: Mapping[str, Any]) -> str:
    """Where an annotation stands, as error messages name it.

    Args:
        source: Name of the file.
        annotation: One entry of ``annotations``.

    Example:
        >>> annotation_place('train.json', dict(id=7, image_id=3))
        'train.json: annotation id 7 of image id 3'
    """
    return (
        f'{source}: annotation id {annotation.get("id")!r} of image id '
        f'{annotation.get("image_id")!r}'
    )


def image_supervision(
    image: Mapping[str, Any],
    level: 'str | Supervision',
    source: str = 'annotation file',
) -> Supervision:
    """Level of one image in a mix: its own, but never stronger than the declared one.

    Args:
        image: One entry of ``images``; its key ``supervision`` is optional.
        level: What the dataset is declared with.
        source: Name of the file, for error messages. Defaults to 'annotation file'.

    Returns:
        The weaker of the two levels.

    Raises:
        ValueError: ``image['supervision']`` is no level.

    Example:
        >>> image_supervision(dict(id=3, supervision='points'), 'boxes').label
        'points'
    """
    level = Supervision.parse(level)
    own = image.get('supervision')
    if own is None:
        return level
    try:
        return min(level, Supervision.parse(own))
    except ValueError as error:
        raise ValueError(f'{source}: image id {image.get("id")!r}: {error}') from None


def restrict_coco(
    coco: Mapping[str, Any],
    level: 'str | Supervision',
    per_image: bool = True,
    source: str = 'annotation file',
) -> dict[str, Any]:
    """Keep what ``level`` may read of a whole COCO dictionary.

    IMAGE_TAGS sees no annotation; POINTS ids, class, crowd flag and ``point`` of each,
    and its ``score`` if the annotation has no stronger label that the score is of;
    BOXES also ``bbox``, with ``area`` set to the area of that box; EXTREME_POINTS also
    ``extreme_points``, and then ``bbox`` is the box of these points, because the file's
    own may come from a mask; MASKS everything. An annotation without extreme points
    keeps its box, which a weaker level may read too.

    Every image gets ``tags``, the sorted ids of the categories present, filled from its
    annotations unless the file says them; in LVIS a category is present, too, if it is
    listed as not exhaustively annotated. Below MASKS all keys that are not on the
    allow-list are dropped, at the top level too.

    Args:
        coco: Parsed COCO JSON; is left as it is.
        level: Supervision level of the dataset.
        per_image: Honour ``images[].supervision``: such an image is read at that level
            if it is weaker than ``level``. Defaults to True.
        source: Name of the file, for error messages. Defaults to 'annotation file'.

    Returns:
        A new dictionary of the same form. Images below MASKS with a level of their own
        keep the key ``supervision``.

    Raises:
        ValueError: Image ids are missing or not unique, an annotation belongs to no
            image of the file, an image has an unknown level, or extreme points or a
            box are not well formed.

    Example:
        >>> annotation = dict(id=1, image_id=3, category_id=9, bbox=[5, 6, 20, 10])
        >>> coco = dict(
        ...     images=[dict(id=3, file_name='a.jpg')],
        ...     annotations=[dict(annotation, segmentation=[[5, 6, 25, 6, 15, 16]])],
        ...     categories=[dict(id=9, name='kite')],
        ... )
        >>> boxes = restrict_coco(coco, 'boxes')
        >>> boxes['annotations'] == [dict(annotation, area=200)]
        True
        >>> boxes['images']
        [{'id': 3, 'file_name': 'a.jpg', 'tags': [9]}]
    """
    level = Supervision.parse(level)
    images, annotations = coco.get('images', []), coco.get('annotations', [])
    levels = _image_levels(images, level, per_image, source)
    tags = _present_categories(annotations, levels, source)
    all_masks = all(own is Supervision.MASKS for own in levels.values())
    keep_all = level is Supervision.MASKS and all_masks
    out = dict(coco) if keep_all else _restrict_header(coco)
    out['images'] = [
        _restrict_image(image, levels[image['id']], tags[image['id']])
        for image in images
    ]
    if 'annotations' in coco:
        out['annotations'] = _restrict_annotations(annotations, levels, source)
    return out


def _image_levels(
    images: Sequence[Mapping[str, Any]],
    level: Supervision,
    per_image: bool,
    source: str,
) -> dict[Any, Supervision]:
    levels: dict[Any, Supervision] = {}
    for index, image in enumerate(images):
        image_id = image.get('id') if isinstance(image, Mapping) else None
        if not isinstance(image_id, (int, str)):
            raise ValueError(
                f'{source}: images[{index}] must be an object with an id; '
                f'got {image!r}.'
            )
        if image_id in levels:
            raise ValueError(
                f'{source}: image id {image_id!r} appears twice in images; ids must be '
                'unique.'
            )
        levels[image_id] = (
            image_supervision(image, level, source) if per_image else level
        )
    return levels


def _restrict_header(coco: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if isinstance(coco.get('info'), Mapping):
        out['info'] = {k: v for k, v in coco['info'].items() if k in _INFO_KEYS}
    if 'licenses' in coco:
        out['licenses'] = coco['licenses']
    out['categories'] = [
        {key: category[key] for key in CATEGORY_KEYS if key in category}
        if isinstance(category, Mapping)
        else category
        for category in coco.get('categories', [])
    ]
    return out


def _restrict_image(
    image: Mapping[str, Any], level: Supervision, present: set[int]
) -> dict[str, Any]:
    if level is Supervision.MASKS:
        kept = dict(image)
    else:
        kept = {key: image[key] for key in IMAGE_KEYS if key in image}
    if kept.get('tags') is None:
        also = image.get('not_exhaustive_category_ids')
        # What is no list of ids is refused by the checks that follow the guard.
        also = also if isinstance(also, list) else []
        ids = (value for value in also if isinstance(value, (int, str)))
        kept['tags'] = sort_ids(present.union(ids))
    return kept


def sort_ids(ids: Iterable[int | str]) -> list[int | str]:
    """Sort ids, of which a file may have both kinds: integers first, then texts.

    Args:
        ids: Integers and texts.
    """
    return sorted(ids, key=lambda value: (isinstance(value, str), value))


def _present_categories(
    annotations: Sequence[Mapping[str, Any]],
    levels: Mapping[Any, Supervision],
    source: str,
) -> dict[Any, set[int]]:
    tags: dict[Any, set[int]] = {image_id: set() for image_id in levels}
    for annotation in annotations:
        try:
            own, category = tags[annotation['image_id']], annotation['category_id']
            if isinstance(category, (int, str)):  # others are refused later
                own.add(category)
        except (KeyError, TypeError):
            raise ValueError(_broken_reference(annotation, levels, source)) from None
    return tags


def _broken_reference(
    annotation: Any, levels: Mapping[Any, Supervision], source: str
) -> str:
    if not isinstance(annotation, Mapping):
        return (
            f'{source}: every entry of annotations must be an object; '
            f'got {annotation!r}.'
        )
    where = annotation_place(source, annotation)
    for key in ('image_id', 'category_id'):
        if not isinstance(annotation.get(key), (int, str)):
            return f'{where}: {key} must be an id; got {annotation.get(key)!r}.'
    return (
        f'{where}: no image of the file has this id ({len(levels)} images). Add the '
        'image to images or remove the annotation.'
    )


def _restrict_annotations(
    annotations: Sequence[Mapping[str, Any]],
    levels: Mapping[Any, Supervision],
    source: str,
) -> list[dict[str, Any]]:
    kept = []
    for annotation in annotations:
        level = levels[annotation['image_id']]
        if level is Supervision.MASKS:
            kept.append(annotation)
        elif level is not Supervision.IMAGE_TAGS:
            kept.append(_restrict(annotation, level, source))
    return kept
