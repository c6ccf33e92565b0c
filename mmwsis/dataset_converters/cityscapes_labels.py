"""Cityscapes' instanceIds: what a pixel's number means, and the regions it makes.

A number of 1000 or more is object k of a thing class, ``id * 1000 + k``; below that it
is the id of a label: stuff, void, or a group of things that could not be told apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .cityscapes_classes import (
    CITYSCAPES_LABELS,
    INSTANCE_BASE,
    TRAIN_ID_VOID,
    CityscapesLabel,
)
from .label_maps import Region, bitmap_region, label_regions, recode

_BY_ID = {label.id: label for label in CITYSCAPES_LABELS}
_ID_OF_TRAIN_ID = {
    label.train_id: label.id
    for label in CITYSCAPES_LABELS
    if label.train_id != TRAIN_ID_VOID
}


class Segment(NamedTuple):
    """One region of an image.

    Attributes:
        number: Its value in instanceIds.
        label: Its label.
        is_group: Whether it is a group of things: one region, an unknown number of
            objects.
        region: Its pixels.
    """

    number: int
    label: CityscapesLabel
    is_group: bool
    region: Region


def ids_from_train_ids(labels: np.ndarray, path: Path) -> np.ndarray:
    """Turn instanceTrainIds into instanceIds.

    Args:
        labels: uint8 or uint16 (H, W): trainId, trainId * 1000 + k, or 255.
        path: File of the labels, for the message.

    Returns:
        uint16 (H, W) in instanceIds' numbers; 255 becomes 0, 'unlabeled'.

    Raises:
        ValueError: A number that instanceTrainIds cannot have.
    """
    numbers = {}
    for number in np.unique(labels).tolist():
        own, k = divmod(number, INSTANCE_BASE) if number >= INSTANCE_BASE else (0, 0)
        if number == TRAIN_ID_VOID:
            continue
        label = _BY_ID.get(_ID_OF_TRAIN_ID.get(own or number, -1))
        if label is None or (own and not label.has_instances):
            raise ValueError(
                f'{path}: has the number {number}, which no instanceTrainIds file '
                'has; is it an instanceIds file?'
            )
        numbers[number] = label.id * INSTANCE_BASE + k if own else label.id
    return recode(labels, numbers, other=0)


def image_segments(labels: np.ndarray, path: Path) -> list[Segment]:
    """Regions of an image, void ones too.

    Args:
        labels: uint16 (H, W) in instanceIds' numbers.
        path: File of the labels, for the message.

    Returns:
        In ascending order of their numbers.

    Raises:
        ValueError: A number that instanceIds cannot have.
    """
    segments = []
    for number, region in label_regions(labels).items():
        numbered = number >= INSTANCE_BASE
        label = _BY_ID.get(number // INSTANCE_BASE if numbered else number)
        if label is None or (numbered and not label.has_instances):
            raise ValueError(
                f'{path}: has the number {number}, which no instanceIds file has '
                f'(labels 0 to {max(_BY_ID)}, or label * {INSTANCE_BASE} + k for '
                'things)'
            )
        is_group = label.has_instances and not numbered
        segments.append(Segment(number, label, is_group, region))
    return segments


def is_void(segment: Segment) -> bool:
    """Whether a segment is neither trained nor measured on."""
    return segment.label.train_id == TRAIN_ID_VOID


def image_entry(
    file_name: str, labels: np.ndarray, segments: Sequence[Segment], tags: Iterable[int]
) -> dict[str, Any]:
    """COCO image entry, without an id.

    Args:
        file_name: Of the image.
        labels: uint16 (H, W) that the segments are of.
        segments: Of :func:`image_segments`.
        tags: Ids of the classes that are in the image.

    Returns:
        With ``void``, an RLE of what is neither trained nor measured on, if there is
        any.
    """
    height, width = labels.shape
    entry = dict(file_name=file_name, height=height, width=width, tags=sorted({*tags}))
    void_numbers = [segment.number for segment in segments if is_void(segment)]
    void = bitmap_region(np.isin(labels, void_numbers))
    return entry if void is None else {**entry, 'void': void.rle}


def object_entries(
    segments: Iterable[Segment], category_ids: Mapping[str, int]
) -> list[dict[str, Any]]:
    """COCO annotations of the objects of an image; groups become crowds.

    Args:
        segments: Of :func:`image_segments`.
        category_ids: Category id by name of the thing classes wanted.

    Returns:
        Without ids, in the order of the segments.
    """
    return [
        segment.region.entry(category_ids[segment.label.name], int(segment.is_group))
        | dict(segmentation=segment.region.rle)
        for segment in segments
        if segment.label.has_instances and segment.label.name in category_ids
    ]
