"""Corrections as a perfect person would draw them: the masks of the ground truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as mask_api

from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.coco_masks import check_segmentation, checked_rle
from mmwsis.formats.provenance import has_own_ids
from mmwsis.structures.supervision import annotation_place

# IoU from which on a label that was found in a whole image stands for an object.
MIN_OVERLAP = 0.25
Annotation = Mapping[str, Any]
Id = int | str


def simulate_corrections(
    pseudo: Mapping[str, Any],
    truth: Mapping[str, Any],
    ids: Sequence[Id],
    sources: tuple[str, str] = ('pseudo labels', 'ground truth'),
) -> dict[str, Any]:
    """Draw the ground truth of some pseudo labels.

    A label of a known object has the id of its ground truth. One that was found in a
    whole image becomes the object that it overlaps most; where none is overlapped by a
    quarter (IoU), or an earlier label has it, the label is deleted.

    Args:
        pseudo: Checked COCO dictionary of pseudo labels.
        truth: The same of the ground truth, with the same image ids.
        ids: Pseudo labels to correct, in the order of the review.
        sources: Names of both files, for messages.

    Returns:
        What :func:`~mmwsis.dataset_converters.corrections.merge_corrections` takes as
        ``corrected``, with ``ids`` as ``reviewed``.

    Raises:
        ValueError: The ground truth lacks an image or an object, or has it elsewhere;
            the message names file and id.
    """
    labels = {one['id']: one for one in pseudo['annotations']}
    wanted = {labels[key]['image_id'] for key in ids}
    images = {one['id']: one for one in truth['images']}
    for image in pseudo['images']:
        own = images.get(image['id'])
        if image['id'] in wanted and (own is None or _name(own) != _name(image)):
            raise ValueError(
                f'{sources[1]} has no image id {image["id"]!r} with the file name '
                f'{_name(image)!r}; give the ground truth of {sources[0]}.'
            )
    if has_own_ids(pseudo):
        drawn = _overlapped(labels, truth, ids, images, sources)
    else:
        drawn = _known(labels, truth, ids, sources)
    entries = [{**one, 'file_name': image_file_name(one)} for one in pseudo['images']]
    return dict(
        images=[one for one in entries if one['id'] in wanted],
        annotations=drawn,
        categories=truth['categories'],
    )


def _name(image: Mapping[str, Any]) -> str:
    return image_file_name(image).rpartition('/')[2]


def _known(
    labels: Mapping[Id, Annotation],
    truth: Mapping[str, Any],
    ids: Sequence[Id],
    sources: tuple[str, str],
) -> list[dict[str, Any]]:
    """Ground truth with the ids of the labels."""
    objects = {one['id']: one for one in truth['annotations']}
    drawn = []
    for key in ids:
        own = objects.get(key)
        if own is None or own['image_id'] != labels[key]['image_id']:
            raise ValueError(
                f'{annotation_place(sources[0], labels[key])} is no object of '
                f'{sources[1]}; corrections can be simulated of pseudo labels that '
                'keep the ids of this ground truth.'
            )
        drawn.append(_drawn(own, key))
    return drawn


def _overlapped(
    labels: Mapping[Id, Annotation],
    truth: Mapping[str, Any],
    ids: Sequence[Id],
    images: Mapping[Id, Mapping[str, Any]],
    sources: tuple[str, str],
) -> list[dict[str, Any]]:
    """Ground truth that the labels overlap most, each object once."""
    by_image: dict[Id, list[Annotation]] = {}
    for one in truth['annotations']:
        if not one.get('iscrowd'):
            by_image.setdefault(one['image_id'], []).append(one)

    def rle(annotation: Annotation, source: str) -> dict[str, Any]:
        image = images[annotation['image_id']]
        size = image['height'], image['width']
        where = annotation_place(source, annotation)
        check_segmentation(annotation.get('segmentation'), size, where)
        return checked_rle(annotation['segmentation'], *size)

    drawn, taken = [], set()
    for key in ids:
        objects = [
            one
            for one in by_image.get(labels[key]['image_id'], ())
            if one['id'] not in taken
        ]
        if not objects:
            continue
        masks = [rle(one, sources[1]) for one in objects]
        ious = mask_api.iou([rle(labels[key], sources[0])], masks, [0] * len(masks))[0]
        best = int(np.argmax(ious))
        if ious[best] >= MIN_OVERLAP:
            taken.add(objects[best]['id'])
            drawn.append(_drawn(objects[best], key))
    return drawn


def _drawn(annotation: Annotation, key: Id) -> dict[str, Any]:
    kept = ('image_id', 'category_id', 'segmentation')
    return dict(id=key, **{name: annotation[name] for name in kept})
