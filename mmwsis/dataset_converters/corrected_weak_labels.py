"""What a labeler learns from corrections: weak labels of the corrected objects.

Images whose labels have all been reviewed are of level masks and hold every weaker
label, too; in the others the labels of corrected objects are replaced. A labeler reads
the file at the level that it was made for.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from mmwsis.formats.coco_file import annotations_by_image
from mmwsis.formats.provenance import has_own_ids
from mmwsis.structures.supervision import (
    ANNOTATION_KEYS,
    LABEL_KEYS,
    Supervision,
    annotation_place,
    image_supervision,
    restrict_coco,
)

from .click_matching import Pairs, pair_by_click, pair_by_id
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
        weak: Checked COCO dictionary that the labeler was trained on. Its objects have
            the ids of the pseudo labels; where these are instances that were found in
            whole images, clicks find their objects by class and mask.
        level: Level of its images, unless they say another one.
        corrections: Of the pseudo labels.
        sources: Names of the weak file and of the pseudo labels, for messages.

    Returns:
        COCO dictionary; every image says its level.

    Raises:
        ValueError: The weak file lacks an image that was corrected, or has other
            classes, or a click cannot be told from another; the message names it.
    """
    mixed = corrections.coco
    _check(weak, mixed, corrections, sources)
    masks, own = annotations_by_image(mixed), annotations_by_image(weak)
    corrected = {one['id']: one for one in mixed['images']}
    pair = _pairing(corrections, sources)
    taken = {one['id'] for one in weak['annotations']}
    numbers = [key for key in taken if isinstance(key, int)]
    numbers += [one['id'] for one in mixed['annotations'] if type(one['id']) is int]
    fresh = itertools.count(max(numbers, default=0) + 1)
    images, annotations = [], []
    for image in weak['images']:
        key, its_level = image['id'], image_supervision(image, level, sources[0])
        is_complete = key in corrections.complete
        if key in corrections.images:
            image = {**image, 'tags': corrected[key].get('tags', image.get('tags'))}
        if is_complete:
            its_level = Supervision.MASKS
        images.append({**image, 'supervision': its_level.label})
        if its_level is Supervision.IMAGE_TAGS:
            continue
        human = [one for one in masks[key] if is_complete or _is_human(one)]
        if not is_complete and not human and key not in corrections.images:
            annotations += own[key]
            continue
        owned, gone = pair(image, own[key], masks[key], is_complete)
        rows = [(owned.get(one['id'], {}), one) for one in human]
        if not is_complete:
            new = {owned[one['id']]['id']: one for one in human if one['id'] in owned}
            rows = [(one, new.get(one['id'])) for one in own[key]]
            rows = [row for row in rows if row[0]['id'] not in gone]
            rows += [({}, one) for one in human if one['id'] not in owned]
        size = image['height'], image['width']
        for old, one in rows:
            if one is not None:
                where = annotation_place(sources[1], one)
                made = _derived(one, old, its_level, size, where)
                if not old and (made['id'] in taken or has_own_ids(mixed)):
                    made['id'] = next(fresh)
                old = {**made, 'id': old.get('id', made['id'])}
            annotations.append(old)
    coco = {**weak, 'images': images, 'annotations': annotations}
    return restrict_coco(coco, Supervision.MASKS, source=sources[0])


def _pairing(
    corrections: Corrections, sources: tuple[str, str]
) -> Callable[[Mapping[str, Any], list[Annotation], list[Annotation], bool], Pairs]:
    """How the weak labels of an image find their objects."""
    mixed = corrections.coco
    categories = {one['name']: one['id'] for one in mixed['categories']}
    before = {
        one.annotation_id: categories[one.old_name]
        for one in corrections.objects
        if one.old_name is not None
    }
    deleted: dict[Id, list[Annotation]] = {}
    for one in corrections.deleted:
        deleted.setdefault(one['image_id'], []).append(one)

    def pair(
        image: Mapping[str, Any],
        weak: list[Annotation],
        objects: list[Annotation],
        is_complete: bool,
    ) -> Pairs:
        gone = deleted.get(image['id'], [])
        if not has_own_ids(mixed):
            return pair_by_id(weak, objects, gone)
        objects = [
            {**one, 'old_category_id': before[one['id']]}
            if one['id'] in before
            else one
            for one in objects
        ]
        return pair_by_click(weak, objects, gone, image, sources, is_complete)

    return pair


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


def _is_human(annotation: Annotation) -> bool:
    """Whether the weak label follows from the mask that a person gave the object."""
    return annotation.get('correction') in ('changed', 'added')


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
