"""Cutting label generation into chunks that ranks and jobs share.

A chunk is a run of whole images. It is the atom of everything that follows: one rank
labels it, one line of a part file holds it, a killed run repeats it from its start.
Batches never reach across chunks, so a mask does not depend on how many ranks or jobs
took part, nor on where an earlier run was killed: the result is the same to the byte.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mmwsis.structures import annotation_place

BATCHES_PER_CHUNK = 4


class Chunk(NamedTuple):
    """Whole images that are labelled together.

    ``indices`` are places in the dataset, ``item_ids`` what lies there (annotations,
    or the images themselves), both in the dataset's order; ``image_ids`` are the
    images they belong to.
    """

    number: int
    indices: tuple[int, ...]
    item_ids: tuple[Any, ...]
    image_ids: tuple[Any, ...]


class Shard(NamedTuple):
    """Job ``index`` of ``count`` independent jobs; ``index`` starts at 1."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> 'Shard':
        """Read ``'i/n'``.

        Args:
            text: For example '1/4', the first of four jobs.

        Raises:
            ValueError: Not of this form, or not ``1 <= i <= n``.
        """
        match = re.fullmatch(r'(\d+)/(\d+)', text)
        if match:
            index, count = int(match[1]), int(match[2])
            if 1 <= index <= count:
                return cls(index, count)
        raise ValueError(
            f'shard must be i/n with 1 <= i <= n, such as 1/4; got {text!r}.'
        )

    def __str__(self) -> str:
        return f'{self.index}/{self.count}'


def needs_no_network(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation is exported box-filled: a crowd, or under one pixel.

    Args:
        annotation: COCO annotation, with ``bbox`` if it is not one of points.
    """
    if annotation.get('iscrowd'):
        return True
    return 'bbox' in annotation and min(annotation['bbox'][2:]) < 1


def check_coverage(
    dataset_ids: Iterable[Any],
    annotations: Sequence[Mapping[str, Any]],
    category_ids: Iterable[int],
    source: str,
) -> int:
    """Make sure that the dataset hides no annotation of its classes.

    Args:
        dataset_ids: Annotation ids of the dataset's samples.
        annotations: All annotations of the source file.
        category_ids: Categories that the dataset is made of.
        source: Name of the source file, for the message.

    Returns:
        How many annotations belong to other classes; they get no pseudo label.

    Raises:
        ValueError: Annotations of the classes are missing, or have no box.
    """
    known, wanted = set(dataset_ids), set(category_ids)
    other, missing = 0, []
    for annotation in annotations:
        if annotation['category_id'] not in wanted:
            other += 1
        elif annotation['id'] not in known:
            missing.append(annotation)
    if missing:
        raise ValueError(
            f'{len(missing)} of {len(annotations)} annotations would get no pseudo '
            f'label, the first is {annotation_place(source, missing[0])}. The dataset '
            'of pseudo_label_dataloader must hold every annotation: set '
            'test_mode=True and remove indices (of a CocoWeakDataset, min_box_side=0), '
            'and give every annotation a bbox, extreme_points or a point.'
        )
    return other


def plan_chunks(
    samples: Iterable[tuple[int, Any, Any]], batch_size: int
) -> list[Chunk]:
    """Group samples by image and images into chunks.

    Args:
        samples: ``(index in the dataset, id, image id)`` of every sample that the
            network must label; the id is that of the annotation or of the image.
        batch_size: Samples in a batch; a chunk holds about four batches, more only
            where one image has more samples.

    Returns:
        Chunks in the order of the dataset.

    Raises:
        ValueError: ``batch_size`` is not positive, or an id occurs twice.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size must be at least 1, got {batch_size}.')
    images: dict[Any, list[tuple[int, Any]]] = {}
    seen: set[Any] = set()
    for index, item_id, image_id in samples:
        if item_id in seen:
            raise ValueError(
                f'id {item_id!r} occurs twice (image id {image_id!r}); ids must be '
                'unique.'
            )
        seen.add(item_id)
        images.setdefault(image_id, []).append((index, item_id))
    limit = BATCHES_PER_CHUNK * batch_size
    groups: list[list[Any]] = []
    count = 0
    for image_id, members in images.items():
        if not groups or count + len(members) > limit:
            groups.append([])
            count = 0
        groups[-1].append(image_id)
        count += len(members)
    return [_make_chunk(number, group, images) for number, group in enumerate(groups)]


def _make_chunk(
    number: int, image_ids: list[Any], images: Mapping[Any, list[tuple[int, Any]]]
) -> Chunk:
    members = [member for image_id in image_ids for member in images[image_id]]
    indices, item_ids = zip(*members)
    return Chunk(number, indices, item_ids, tuple(image_ids))
