"""Tags of the crops of an image, from panoptic maps or from masks.

`Weakly- and Semi-Supervised Panoptic Segmentation <https://arxiv.org/abs/1808.03575>`__
(Li et al., ECCV 2018) has tags for whole images, its released code for overlapping
crops of them: more than "there is a traffic light somewhere in this street".
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmwsis.formats.coco_masks import decode_segmentation
from mmwsis.ops.crop_grid import crop_grid
from mmwsis.structures.supervision import sort_ids
from mmwsis.utils.parallel import OrderedPool

from .coco_panoptic import read_segment_ids, segments_by_image
from .conversion import Progress

Size = tuple[int, int]


class _MapJob(NamedTuple):
    """One PNG of a panoptic file, and the categories of its segments."""

    path: str
    size: Size
    categories: dict[int, Any]
    crop_size: Size
    where: str

    def __str__(self) -> str:
        return f'{self.path} ({self.where})'


def parse_crop_size(text: str) -> Size:
    """Read the size of a crop as it is written on a command line.

    Args:
        text: Height and width in pixels, such as '400x500'.

    Raises:
        ValueError: It is something else.

    Example:
        >>> parse_crop_size('400x500')
        (400, 500)
    """
    sides = text.split('x')
    if len(sides) != 2 or not all(side.isdigit() and int(side) for side in sides):
        raise ValueError(
            f'expected the height and width of a crop, such as 400x500, given {text!r}'
        )
    return int(sides[0]), int(sides[1])


def check_crop_size(
    images: Sequence[Mapping[str, Any]], crop_size: Size, source: str
) -> None:
    """Refuse crops that are larger than an image.

    Args:
        images: Of the file, with ``width`` and ``height``.
        crop_size: Height and width of a crop in pixels.
        source: Name of the file, for messages.

    Raises:
        ValueError: Naming the first such image.
    """
    small = [
        image
        for image in images
        if image['height'] < crop_size[0] or image['width'] < crop_size[1]
    ]
    if small:
        first = small[0]
        raise ValueError(
            f'{source}: image id {first["id"]!r} of {first["height"]} x '
            f'{first["width"]} pixels (height x width) is smaller than a crop of '
            f'{crop_size[0]} x {crop_size[1]} ({len(small)} such images); give smaller '
            '--crop-tags'
        )


def panoptic_crop_tags(
    panoptic: Mapping[str, Any],
    png_dir: str | os.PathLike,
    crop_size: Size,
    *,
    source: str,
    pool: OrderedPool,
    open_progress: Callable[[int], Progress],
) -> dict[Any, list[list[Any]]]:
    """Categories in each crop of the images of a panoptic file.

    Args:
        panoptic: Parsed panoptic JSON, checked.
        png_dir: Folder of its PNGs.
        crop_size: Height and width of a crop in pixels, at most those of each image.
        source: Name of the file, for messages.
        pool: Processes that read the PNGs.
        open_progress: Called with the number of PNGs; returns the function that counts
            finished ones.

    Returns:
        Image id -> sorted category ids of each crop, in the order of
        :func:`mmwsis.ops.crop_grid`; things, crowds and stuff.

    Raises:
        FileNotFoundError: A PNG does not exist.
        ValueError: A PNG is not of its image's size.
    """
    known = {category['id'] for category in panoptic['categories']}
    segments = segments_by_image(panoptic, source, dict.fromkeys(known))
    jobs = [
        _MapJob(
            str(Path(png_dir, segments[image['id']]['file_name'])),
            (image['height'], image['width']),
            {s['id']: s['category_id'] for s in segments[image['id']]['segments_info']},
            crop_size,
            f'{source}: image id {image["id"]!r}',
        )
        for image in panoptic['images']
    ]
    advance = open_progress(len(jobs))
    found = {}
    for image, tags in zip(panoptic['images'], pool.imap(_tags_of_map, jobs)):
        found[image['id']] = tags
        advance(1)
    return found


def _tags_of_map(job: _MapJob) -> list[list[Any]]:
    ids = read_segment_ids(job.path, job.size, job.where)
    found = []
    for x1, y1, x2, y2 in crop_grid(job.size, job.crop_size).tolist():
        present = np.unique(ids[y1:y2, x1:x2]).tolist()
        shown = {job.categories[one] for one in present if one in job.categories}
        found.append(sort_ids(shown))
    return found


def crops_of_annotation(
    annotation: Mapping[str, Any], size: Size, crop_size: Size
) -> list[int]:
    """Which crops show an object.

    Args:
        annotation: COCO annotation with ``segmentation``.
        size: Height and width of its image in pixels.
        crop_size: Height and width of a crop, at most those of the image.

    Returns:
        Indices of the crops in the order of :func:`mmwsis.ops.crop_grid`.

    Raises:
        ValueError: The mask is missing or broken.

    Example:
        >>> corner = dict(segmentation=[[3, 0, 5, 0, 5, 2, 3, 2]])
        >>> crops_of_annotation(corner, (4, 9), (4, 3))
        [1]
    """
    if annotation.get('segmentation') is None:
        raise ValueError('segmentation is missing; crop tags are derived from masks')
    mask, (left, top) = decode_segmentation(annotation['segmentation'], *size)
    boxes = crop_grid(size, crop_size).numpy() - [left, top, left, top]
    return [
        index
        for index, (x1, y1, x2, y2) in enumerate(boxes.clip(0))
        if mask[y1:y2, x1:x2].any()
    ]


def mask_crop_tags(
    coco: Mapping[str, Any],
    crop_size: Size,
    crops: Sequence[Sequence[int] | None],
    source: str,
) -> dict[Any, list[list[Any]]]:
    """Categories in each crop of the images of an instances file.

    Args:
        coco: Checked COCO dictionary.
        crop_size: Height and width of a crop in pixels, at most those of each image.
        crops: Of each annotation, what :func:`crops_of_annotation` returns; None where
            it is left out.
        source: Name of the file, for messages.

    Returns:
        Image id -> sorted category ids of each crop.

    Raises:
        ValueError: An image has tags of which no annotation says where they are.
    """
    shown: dict[Any, list[set[Any]]] = {
        image['id']: [
            set() for _ in crop_grid((image['height'], image['width']), crop_size)
        ]
        for image in coco['images']
    }
    placed: dict[Any, set[Any]] = {key: set() for key in shown}
    for annotation, indices in zip(coco['annotations'], crops):
        image_id, category = annotation['image_id'], annotation['category_id']
        placed[image_id].add(category)
        for index in indices or ():
            shown[image_id][index].add(category)
    for image in coco['images']:
        missing = set(image.get('tags') or ()) - placed[image['id']]
        if missing:
            raise ValueError(
                f'{source}: image id {image["id"]!r} has the tags {sort_ids(missing)}, '
                'but no mask says in which crops; crop tags of stuff need the panoptic '
                'file as the input'
            )
    return {key: [sort_ids(ids) for ids in sets] for key, sets in shown.items()}


def with_crop_tags(
    coco: Mapping[str, Any],
    crop_size: Size,
    tags: Mapping[Any, list[list[Any]]],
) -> dict[str, Any]:
    """Write the tags of crops into the images of a COCO dictionary.

    Args:
        coco: COCO dictionary; is left as it is.
        crop_size: Height and width of a crop in pixels.
        tags: Image id -> category ids of each crop.

    Returns:
        A new dictionary.
    """
    images = [
        {**image, 'crop_tags': dict(size=[*crop_size], tags=tags[image['id']])}
        for image in coco['images']
    ]
    return {**coco, 'images': images}
