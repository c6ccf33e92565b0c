"""What a labeler learns from corrections: weak labels of the corrected objects.

Images whose labels have all been reviewed are of level masks and hold every weaker
label, too; in the others the labels of corrected objects are replaced. A labeler reads
the file at the level that it was made for.
"""

from collections.abc import Mapping
from typing import Any

from mmwsis.formats.coco_file import annotations_by_image
from mmwsis.structures.supervision import (
    ANNOTATION_KEYS,
    LABEL_KEYS,
    Supervision,
    annotation_place,
    image_supervision,
    restrict_coco,
)

from .corrections import Corrections
from .weak_labels import WeakProtocol, derive_weak_labels

Annotation = dict[str, Any]
Id = int | str
_DERIVED = (Supervision.POINTS, Supervision.BOXES, Supervision.EXTREME_POINTS)


def correct_weak_labels(
    weak: Mapping[str, Any],
    level: Supervision,
    corrections: Corrections,
    sources: tuple[str, str] = ('weak labels', 'pseudo labels'),
) -> dict[str, Any]:
    """Give a labeler's training file the corrections of its pseudo labels.

    Args:
        weak: Checked COCO dictionary that the labeler was trained on; objects have the
            ids of the pseudo labels.
        level: Level of its images, unless they say another one.
        corrections: Of the pseudo labels.
        sources: Names of the weak file and of the pseudo labels, for messages.

    Returns:
        COCO dictionary; every image says its level.

    Raises:
        ValueError: The weak file lacks an image that was corrected, or has other
            classes; the message names it.
    """
    mixed = corrections.coco
    _check(weak, mixed, corrections, sources)
    masks, own = annotations_by_image(mixed), annotations_by_image(weak)
    corrected = {one['id']: one for one in mixed['images']}
    deleted = {one.annotation_id for one in corrections.objects}
    deleted -= {one['id'] for one in mixed['annotations']}
    images, annotations = [], []
    for image in weak['images']:
        key, its_level = image['id'], image_supervision(image, level, sources[0])
        if key in corrections.images:
            image = {**image, 'tags': corrected[key].get('tags', image.get('tags'))}
        if key in corrections.complete:
            its_level = Supervision.MASKS
        images.append({**image, 'supervision': its_level.label})
        if its_level is Supervision.IMAGE_TAGS:
            continue
        known = {one['id']: one for one in own[key] if one['id'] not in deleted}
        if key in corrections.complete:
            known = {one['id']: known.get(one['id'], {}) for one in masks[key]}
        size = image['height'], image['width']
        new = {one['id']: one for one in masks[key] if _is_human(one, its_level)}
        for place in dict.fromkeys([*known, *new]):
            old = known.get(place, {})
            if place in new:
                where = annotation_place(sources[1], new[place])
                old = _derived(new[place], old, its_level, size, where)
            annotations.append(old)
    coco = {**weak, 'images': images, 'annotations': annotations}
    return restrict_coco(coco, Supervision.MASKS, source=sources[0])


def _check(
    weak: Mapping[str, Any],
    mixed: Mapping[str, Any],
    corrections: Corrections,
    sources: tuple[str, str],
) -> None:
    known = {one['id'] for one in weak['images']}
    lacking = [key for key in corrections.images if key not in known]
    if lacking:
        raise ValueError(
            f'{sources[0]} lacks image id {lacking[0]!r}, whose labels were corrected; '
            f'give the weak labels that {sources[1]} was made from.'
        )
    names = [{c['id']: c['name'] for c in one['categories']} for one in (weak, mixed)]
    if names[0] != names[1]:
        raise ValueError(
            f'{sources[0]} and {sources[1]} have different classes: {names[0]} and '
            f'{names[1]}.'
        )


def _is_human(annotation: Annotation, level: Supervision) -> bool:
    """Whether the weak label follows from the mask that a person gave the object."""
    action = annotation.get('correction')
    return level is Supervision.MASKS or action in ('changed', 'added')


def _derived(
    annotation: Annotation,
    old: Annotation,
    level: Supervision,
    size: tuple[int, int],
    where: str,
) -> Annotation:
    """Labels of an object up to a level; those that a person clicked and saw stay."""
    try:
        labels = derive_weak_labels(annotation, size, _DERIVED, WeakProtocol())
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from None
    if annotation.get('correction') == 'unchanged':
        labels.update({key: old[key] for key in LABEL_KEYS if old.get(key)})
    kept = ('id', 'image_id', 'category_id', 'iscrowd', 'segmentation', 'area')
    entry = {**{key: annotation[key] for key in kept if key in annotation}, **labels}
    if level is Supervision.MASKS:
        return entry
    allowed = ANNOTATION_KEYS[level]
    return {key: value for key, value in entry.items() if key in allowed}
