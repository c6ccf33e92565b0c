"""COCO panoptic files: things become objects, stuff becomes image tags.

A panoptic file holds one PNG per image, whose colours are segment ids (R + 256 G +
65536 B, 0 where nothing is labelled), and a JSON that gives every segment its class
(Kirillov et al., Panoptic Segmentation, CVPR 2019; format of the COCO 2018 task).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmwsis.formats.checks import check_coco
from mmwsis.formats.coco_file import read_json
from mmwsis.formats.segment_maps import VOID, decode_segment_map, is_segment_id
from mmwsis.formats.validation.box_readings import are_apart
from mmwsis.formats.validation.columns import is_id, number_column
from mmwsis.structures.supervision import sort_ids
from mmwsis.utils.parallel import OrderedPool

from .conversion import Progress
from .label_maps import Region, label_regions

_CATEGORY_NEEDS = ('id', 'name', 'isthing')
_SEGMENT_NEEDS = ('id', 'category_id', 'bbox', 'area')


class _MapJob(NamedTuple):
    """One PNG, the segments whose masks are wanted, and all that the JSON lists."""

    path: str
    size: tuple[int, int]
    segment_ids: list[int]
    listed: list[Mapping[str, Any]]
    where: str

    def __str__(self) -> str:
        return f'{self.path} ({self.where})'


def is_panoptic(document: Any) -> bool:
    """Whether a parsed JSON is a COCO panoptic file.

    Args:
        document: Parsed JSON.
    """
    annotations = document.get('annotations') if isinstance(document, Mapping) else None
    return isinstance(annotations, list) and any(
        isinstance(entry, Mapping) and 'segments_info' in entry for entry in annotations
    )


def panoptic_to_instances(
    panoptic: Mapping[str, Any],
    png_dir: str | os.PathLike,
    *,
    source: str,
    read_masks: bool,
    pool: OrderedPool,
    open_progress: Callable[[int], Progress],
) -> dict[str, Any]:
    """Turn a panoptic file into a COCO instances dictionary with stuff tags.

    Segment ids are unique within an image only, so annotations are numbered from 1 in
    the order of the file; ``segment_id`` keeps the old one.

    Args:
        panoptic: Parsed panoptic JSON.
        png_dir: Folder of its PNGs.
        source: Name of the file, for messages.
        read_masks: Whether ``segmentation`` is wanted; boxes and tags need no PNG.
        pool: Processes that read the PNGs.
        open_progress: Called with the number of PNGs; returns the function that counts
            finished ones.

    Returns:
        COCO dictionary; ``annotations`` are the things, with ``bbox``, ``area``,
        ``iscrowd`` and, if wanted, an RLE; ``images[].tags`` are the ids of all classes
        present, things and stuff.

    Raises:
        FileNotFoundError: A PNG does not exist.
        ValueError: JSON and PNG do not fit together; the message names both.
    """
    isthing = thing_flags(panoptic, source)
    segments = segments_by_image(panoptic, source, isthing)
    annotations: list[dict[str, Any]] = []
    jobs: list[_MapJob] = []
    images = []
    for image in panoptic['images']:
        record = segments.get(image.get('id'))
        if record is None:
            raise ValueError(
                f'{source}: image id {image.get("id")!r} has no entry in annotations'
            )
        own = record['segments_info']
        images.append({**image, 'tags': sort_ids({seg['category_id'] for seg in own})})
        things = [seg for seg in own if isthing[seg['category_id']]]
        annotations += [
            {
                'id': len(annotations) + number,
                'image_id': image['id'],
                'category_id': segment['category_id'],
                'iscrowd': int(bool(segment.get('iscrowd', 0))),
                'bbox': segment['bbox'],
                'area': segment['area'],
                'segment_id': segment['id'],
            }
            for number, segment in enumerate(things, start=1)
        ]
        jobs.append(
            _MapJob(
                str(Path(png_dir, record['file_name'])),
                (image.get('height'), image.get('width')),
                [segment['id'] for segment in things],
                own,
                f'{source}: image id {image["id"]!r}',
            )
        )
    if read_masks:
        if not Path(png_dir).is_dir():
            raise FileNotFoundError(
                f'{png_dir} does not exist; it should hold the PNGs of {source}. '
                'Unpack them (COCO packs them into the zip of the annotations) or give '
                '--panoptic-dir.'
            )
        advance = open_progress(len(jobs))
        masks = iter(annotations)
        for rles in pool.imap(_masks_of_map, jobs):
            for rle in rles:
                next(masks)['segmentation'] = rle
            advance(1)
    return {**panoptic, 'images': images, 'annotations': annotations}


def add_stuff_tags(
    coco: Mapping[str, Any], files: Sequence[str | os.PathLike], source: str
) -> dict[str, Any]:
    """Give the images of an instances file the stuff tags of panoptic files.

    Images are matched by id, which is the same in COCO 2014 and 2017. Thing tags stay
    those of the instances file.

    Args:
        coco: Checked COCO dictionary; is left as it is.
        files: Panoptic JSONs that together cover its images.
        source: Name of the instances file, for messages.

    Returns:
        A new dictionary: ``categories`` with the stuff classes, which are marked by
        ``isthing``, and ``images[].tags``.

    Raises:
        FileNotFoundError: A panoptic file does not exist.
        ValueError: A file is no panoptic file, an image is in none of them, or ids and
            names of the classes differ.
    """
    stuff: dict[Any, set[Any]] = {}
    categories = {c['id']: {**c, 'isthing': 1} for c in coco['categories']}
    for file in map(str, files):
        panoptic = read_json(file)
        if not is_panoptic(panoptic):
            raise ValueError(
                f'{file}: --stuff-tags needs a COCO panoptic JSON, whose annotations '
                'have segments_info'
            )
        isthing = thing_flags(panoptic, file)
        for category in panoptic['categories']:
            own = categories.setdefault(category['id'], category)
            if own['name'] != category['name'] or bool(own['isthing']) != bool(
                category['isthing']
            ):
                raise ValueError(
                    f'{file}: category id {category["id"]!r} is {category["name"]!r} '
                    f'(isthing {category["isthing"]}), but {source} has it as '
                    f'{own["name"]!r} (isthing {own["isthing"]})'
                )
        for image_id, record in segments_by_image(panoptic, file, isthing).items():
            stuff.setdefault(image_id, set()).update(
                segment['category_id']
                for segment in record['segments_info']
                if not isthing[segment['category_id']]
            )
    lacking = [image['id'] for image in coco['images'] if image['id'] not in stuff]
    if lacking:
        raise ValueError(
            f'{len(lacking)} of {len(coco["images"])} images of {source} are in no '
            f'file of --stuff-tags, the first are {lacking[:5]}; COCO 2014 needs '
            'both panoptic_train2017.json and panoptic_val2017.json'
        )
    present: dict[Any, set[Any]] = {image['id']: set() for image in coco['images']}
    for annotation in coco['annotations']:
        present[annotation['image_id']].add(annotation['category_id'])
    images = [
        {
            **image,
            'tags': sort_ids(
                present[image['id']] | stuff[image['id']] | set(image.get('tags') or ())
            ),
        }
        for image in coco['images']
    ]
    return {**coco, 'categories': list(categories.values()), 'images': images}


def segments_by_image(
    panoptic: Mapping[str, Any], source: str, category_ids: Mapping[Any, Any]
) -> dict[Any, Mapping[str, Any]]:
    """Entries of ``annotations`` by image id, checked.

    Args:
        panoptic: Parsed panoptic JSON.
        source: Name of the file, for messages.
        category_ids: The known category ids.

    Returns:
        Image id -> entry.

    Raises:
        ValueError: An entry or one of its segments is broken.
    """
    found: dict[Any, Mapping[str, Any]] = {}
    for index, record in enumerate(panoptic['annotations']):
        if not (
            isinstance(record, Mapping)
            and is_id(record.get('image_id'))
            and isinstance(record.get('file_name'), str)
            and isinstance(record.get('segments_info'), list)
        ):
            raise ValueError(
                f'{source}: annotations[{index}] must have image_id, file_name (text) '
                'and segments_info (a list)'
            )
        image_id = record['image_id']
        if image_id in found:
            raise ValueError(f'{source}: image id {image_id!r} has two annotations')
        seen: set[int] = set()
        for segment in record['segments_info']:
            _check_segment(segment, seen, f'{source}: image id {image_id!r}')
            if segment['category_id'] not in category_ids:
                raise ValueError(
                    f'{source}: image id {image_id!r}, segment {segment["id"]!r}: '
                    f'category_id {segment["category_id"]!r} is not in the file'
                )
        found[image_id] = record
    return found


def _check_segment(segment: Any, seen: set[int], where: str) -> None:
    """Refuse a broken segment, or one whose id is among those seen before."""
    if not isinstance(segment, Mapping):
        raise ValueError(f'{where}: a segment must be an object, found {segment!r}')
    where = f'{where}, segment {segment.get("id")!r}'
    lacking = [key for key in _SEGMENT_NEEDS if key not in segment]
    if lacking:
        raise ValueError(f'{where}: {lacking} is missing')
    own = segment['id']
    if not is_segment_id(own):
        raise ValueError(
            f'{where}: id must be the colour of the segment in the PNG, an integer '
            f'from 1 to {(1 << 24) - 1}; 0 is where nothing is labelled'
        )
    if own in seen:
        raise ValueError(f'{where}: is listed twice')
    seen.add(own)
    if not is_id(segment['category_id']) or not _is_flag(segment.get('iscrowd', 0)):
        raise ValueError(
            f'{where}: category_id must be an id and iscrowd 0 or 1; found '
            f'{segment["category_id"]!r} and {segment.get("iscrowd")!r}'
        )


def _is_flag(value: Any) -> bool:
    return isinstance(value, int) and value in (0, 1)


def thing_flags(panoptic: Mapping[str, Any], source: str) -> dict[Any, bool]:
    """Say of every category whether it is a thing; images and categories are checked.

    Args:
        panoptic: Parsed panoptic JSON.
        source: Name of the file, for messages.

    Returns:
        Category id -> whether it is a thing.

    Raises:
        ValueError: An image or a category is broken.
    """
    # Images and categories are those of any COCO file.
    check_coco({**panoptic, 'annotations': []}, source)
    for category in panoptic['categories']:
        lacking = [key for key in _CATEGORY_NEEDS if key not in category]
        if lacking:
            raise ValueError(
                f'{source}: category id {category.get("id")!r} has no {lacking}; a '
                'panoptic file says of every class whether it is a thing'
            )
        if not _is_flag(category['isthing']):
            raise ValueError(
                f'{source}: category id {category["id"]!r}: isthing must be 0 or 1, '
                f'found {category["isthing"]!r}'
            )
    return {c['id']: bool(c['isthing']) for c in panoptic['categories']}


def read_segment_ids(path: str, size: tuple[int, int], where: str) -> np.ndarray:
    """Read a PNG of a panoptic file.

    Args:
        path: The PNG.
        size: Height and width of its image in pixels.
        where: Names file and image id in messages.

    Returns:
        int32 (H, W), the ids of segments; 0 where nothing is labelled.

    Raises:
        FileNotFoundError: It does not exist.
        ValueError: It cannot be read, or is of another size.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist; {where} names it')
    ids = decode_segment_map(Path(path).read_bytes(), f'{path}, which {where} names,')
    if ids.shape != tuple(size):
        raise ValueError(
            f'{path} is {ids.shape[1]}x{ids.shape[0]} pixels, but {where} is '
            f'{size[1]}x{size[0]}'
        )
    return ids


def regions_of_map(
    ids: np.ndarray, listed: Sequence[Mapping[str, Any]], path: str, where: str
) -> dict[int, Region]:
    """Find the segments of a PNG, which must be those that the JSON lists.

    Args:
        ids: int32 (H, W), of :func:`read_segment_ids`.
        listed: Its ``segments_info``.
        path: The PNG.
        where: Names file and image id in messages.

    Returns:
        Region by segment id, and that of :data:`VOID` where there is any.

    Raises:
        ValueError: A segment has no pixel or another box, or is not listed.
    """
    regions = label_regions(np.maximum(ids, VOID))
    for segment in listed:
        own = regions.get(segment['id'])
        if own is None:
            raise ValueError(
                f'{path} has no pixel of segment {segment["id"]}; {where} lists it'
            )
        box = number_column([segment], 'bbox', (4,)).values
        if np.isnan(box).any() or are_apart(box, np.array([own.bbox], float))[0]:
            raise ValueError(
                f'{where}, segment {segment["id"]}: bbox {segment["bbox"]!r} is '
                f'not that of its pixels in {path}, {own.bbox}'
            )
    unlisted = sorted(regions.keys() - {VOID, *(one['id'] for one in listed)})
    if unlisted:
        raise ValueError(
            f'{path} has {regions[unlisted[0]].area} pixels of segment '
            f'{unlisted[0]}, which {where} does not list ({len(unlisted)} such '
            'segments): they are of no known class. Add them to segments_info, or set '
            'their pixels to 0, which is no label'
        )
    return regions


def _masks_of_map(job: _MapJob) -> list[dict[str, Any]]:
    """RLEs of the wanted segments of one PNG."""
    ids = read_segment_ids(job.path, job.size, job.where)
    regions = regions_of_map(ids, job.listed, job.path, job.where)
    return [regions[segment_id].rle for segment_id in job.segment_ids]
