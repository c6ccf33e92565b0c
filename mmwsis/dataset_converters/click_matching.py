"""Which weak label belongs to which corrected object.

Masks of known objects have the ids of their weak labels. Instances that were found in
whole images are numbered from 1 by every run, so that their ids say nothing of clicks:
there a click belongs to the object of its class whose mask it lies in.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.structures.supervision import annotation_place

Annotation = Mapping[str, Any]
Id = int | str


class Pairs(NamedTuple):
    """Weak labels of an image and the objects they belong to.

    Attributes:
        owned: Id of an object -> its weak label.
        gone: Ids of the weak labels whose objects were deleted.
    """

    owned: dict[Id, Annotation]
    gone: set[Id]


def pair_by_id(
    weak: Sequence[Annotation],
    objects: Sequence[Annotation],
    deleted: Sequence[Annotation],
) -> Pairs:
    """Pair weak labels with objects of the same id.

    Args:
        weak: Weak labels of the image.
        objects: What is in the mixed file.
        deleted: Labels that people took away.
    """
    by_id = {one['id']: one for one in weak}
    gone = {one['id'] for one in deleted if one['id'] in by_id}
    wanted = {one['id'] for one in objects}
    gone -= wanted
    return Pairs({key: by_id[key] for key in wanted if key in by_id}, gone)


def pair_by_click(
    weak: Sequence[Annotation],
    objects: Sequence[Annotation],
    deleted: Sequence[Annotation],
    image: Mapping[str, Any],
    sources: tuple[str, str],
    is_complete: bool,
) -> Pairs:
    """Pair clicks with the objects whose masks they lie in.

    Args:
        weak: Weak labels of the image.
        objects: What is in the mixed file; ``old_category_id`` is the class that one
            had before.
        deleted: Labels that people took away. A click in one of them goes with it,
            unless it lies in another object, too.
        image: Entry of ``images``.
        sources: Names of the weak file and of the pseudo labels, for messages.
        is_complete: Every object of the image was reviewed: a click that could be of
            several objects, or an object with several clicks, is left without a
            partner. Otherwise it is refused.

    Raises:
        ValueError: A weak label has no ``point``, or the image is not complete and a
            click cannot be told from another; the message names file and ids.
    """
    pixels = {one['id']: _pixel(one, image, sources[0]) for one in weak}
    if not weak:
        return Pairs({}, set())
    by_id = {one['id']: one for one in weak}
    every = {one['id']: _clicks_in(one, weak, pixels, image) for one in objects}
    taken = {key for keys in every.values() for key in keys}
    known = every
    if not is_complete:
        # Nobody looked at the others, which may well cover too much.
        known = {one['id']: every[one['id']] for one in objects if _is_drawn(one)}
    owners: dict[Id, list[Id]] = {}
    for key, clicks in known.items():
        for click in clicks:
            owners.setdefault(click, []).append(key)
    owned = {}
    for key, clicks in known.items():
        if len(clicks) == 1 and len(owners[clicks[0]]) == 1:
            owned[key] = by_id[clicks[0]]
        elif clicks and not is_complete:
            _refuse(key, clicks, owners, image, sources)
    gone = set()
    for one in deleted:
        clicks = [c for c in _clicks_in(one, weak, pixels, image) if c not in taken]
        if len(clicks) > 1 and not is_complete:
            _refuse(one['id'], clicks, {}, image, sources)
        gone.update(clicks)
    return Pairs(owned, gone)


def _is_drawn(annotation: Annotation) -> bool:
    return annotation.get('correction') in ('changed', 'added')


def _pixel(one: Annotation, image: Mapping[str, Any], source: str) -> tuple[int, int]:
    """Row and column of a click."""
    point = one.get('point')
    if not point:
        raise ValueError(
            f'{annotation_place(source, one)} has no point, by which it would be '
            'matched with the instances that were corrected.'
        )
    column, row = (
        min(max(round(value), 0), side - 1)
        for value, side in zip(point, (image['width'], image['height']))
    )
    return row, column


def _clicks_in(
    one: Annotation,
    weak: Sequence[Annotation],
    pixels: Mapping[Id, tuple[int, int]],
    image: Mapping[str, Any],
) -> list[Id]:
    """Ids of the clicks of an object's class that lie in its mask."""
    classes = {one['category_id'], one.get('old_category_id', one['category_id'])}
    own = [click['id'] for click in weak if click['category_id'] in classes]
    if not own:
        return []
    size = image['height'], image['width']
    mask = annotation_mask(one['segmentation'], size, f'annotation id {one["id"]!r}')
    return [key for key in own if mask[pixels[key]]]


def _refuse(
    key: Id,
    clicks: Sequence[Id],
    owners: Mapping[Id, Sequence[Id]],
    image: Mapping[str, Any],
    sources: tuple[str, str],
) -> None:
    where = f'{sources[0]}: image id {image["id"]!r}'
    if len(clicks) > 1:
        told = f'the clicks {list(clicks)} all lie in object {key!r} of {sources[1]}'
    else:
        told = (
            f'click {clicks[0]!r} lies in the objects {list(owners[clicks[0]])} of '
            f'{sources[1]}'
        )
    raise ValueError(
        f'{where}: {told}, so that it is not known which belongs to which; review all '
        'labels of this image, or leave it out of the corrected file.'
    )
