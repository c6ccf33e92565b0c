"""COCO's panoptic files with the classes of PASCAL VOC, for pretraining.

VOC's twenty classes stay things; all other classes of COCO, things and stuff alike, are
VOC's one class of stuff, the background (Li, Arnab, Torr, ECCV 2018, pretrain on such
labels). Where COCO has no label, neither has the result.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_file import read_json
from mmwsis.formats.segment_maps import ENCODINGS, VOID, renumber
from mmwsis.structures.supervision import Supervision

from .coco_panoptic import (
    is_panoptic,
    read_segment_ids,
    regions_of_map,
    segments_by_image,
    thing_flags,
)
from .conversion import RunOptions, source_block
from .image_records import Record, Summary, coco_document, convert_images
from .label_maps import label_regions
from .outputs import Outputs
from .panoptic_output import panoptic_document, panoptic_json, write_segment_ids
from .voc_classes import VOC_CLASSES, voc_categories, voc_panoptic_categories

# COCO's names of VOC's classes, where they differ.
COCO_NAMES = {
    'airplane': 'aeroplane',
    'couch': 'sofa',
    'dining table': 'diningtable',
    'motorcycle': 'motorbike',
    'potted plant': 'pottedplant',
    'tv': 'tvmonitor',
}
BACKGROUND = len(VOC_CLASSES) + 1


@dataclass(frozen=True, eq=False)
class _Entry:
    """An image of COCO; its text is its name.

    Attributes:
        image: Of ``images``.
        png: File of its segment ids.
        segments: Its ``segments_info``.
        where: Names file and image id in messages.
    """

    image: Mapping[str, Any]
    png: str
    segments: Sequence[Mapping[str, Any]]
    where: str

    def __str__(self) -> str:
        return str(self.image['file_name'])


def convert_file(
    source: str | os.PathLike,
    output: str | os.PathLike,
    panoptic_dir: str | os.PathLike,
    *,
    png_dir: str | os.PathLike | None = None,
    min_pixels: int = 1,
    run: RunOptions | None = None,
) -> Summary:
    """Convert a panoptic file of COCO.

    Args:
        source: Panoptic JSON.
        output: COCO instances JSON to write: things with the masks that they have in
            the PNGs, which do not overlap.
        panoptic_dir: Folder to write PNGs to; their JSON goes beside it, under its
            name.
        png_dir: Folder of the PNGs to read; by default the one beside ``source`` of
            its name.
        min_pixels: Images with fewer pixels of VOC's classes are left out, >= 0.
            Defaults to 1: those that show none.
        run: How the conversion runs; the defaults if None.

    Returns:
        The instances document, what was left out because it is broken, and warnings.
        Image ids are COCO's.

    Raises:
        ConversionError: Images are broken, and ``skip_invalid`` is off.
        FileExistsError: An output exists, and ``overwrite`` is off.
        FileNotFoundError: ``source`` does not exist.
        ValueError: It is no panoptic file, has no class of VOC, or no image with
            ``min_pixels``.
    """
    source = Path(source)
    panoptic = read_json(str(source))
    if not is_panoptic(panoptic):
        raise ValueError(
            f'{source}: is no COCO panoptic JSON, whose annotations have segments_info'
        )
    isthing = thing_flags(panoptic, str(source))
    class_ids = _voc_ids(panoptic['categories'], str(source))
    segments = segments_by_image(panoptic, str(source), isthing)
    entries = _entries(
        panoptic['images'], segments, Path(png_dir or source.with_suffix('')), source
    )
    chosen = [
        entry
        for entry in entries
        if sum(one['area'] for one in entry.segments if one['category_id'] in class_ids)
        >= min_pixels
    ]
    if not chosen:
        raise ValueError(
            f'{source}: none of {len(entries)} images has {min_pixels} pixels of '
            "VOC's classes"
        )
    with Outputs() as files:
        document, left_out = convert_images(
            chosen,
            functools.partial(
                image_record,
                class_ids=class_ids,
                panoptic_dir=str(files.folder(panoptic_dir)),
            ),
            [output, *panoptic_json(panoptic_dir)],
            functools.partial(
                _assemble,
                source=source,
                panoptic_dir=panoptic_dir,
                min_pixels=min_pixels,
                files=files,
            ),
            run or RunOptions(),
            files,
            source,
        )
    passed = len(entries) - len(chosen)
    warnings = [f'{passed} images have fewer than {min_pixels} pixels of VOC']
    return Summary(document, left_out, warnings if passed else [])


def _voc_ids(categories: Sequence[Mapping[str, Any]], source: str) -> dict[Any, int]:
    """VOC's category ids by COCO's."""
    numbers = {name: number for number, name in enumerate(VOC_CLASSES, start=1)}
    found = {}
    for category in categories:
        name = COCO_NAMES.get(category['name'], category['name'])
        if category['isthing'] and name in numbers:
            found[category['id']] = numbers[name]
    lacking = sorted(numbers.keys() - {VOC_CLASSES[n - 1] for n in found.values()})
    if lacking:
        raise ValueError(
            f'{source}: has no class for {lacking} of VOC; expected the categories of '
            'COCO, such as panoptic_train2017.json has'
        )
    return found


def _entries(
    images: Sequence[Mapping[str, Any]],
    segments: Mapping[Any, Mapping[str, Any]],
    png_dir: Path,
    source: Path,
) -> list[_Entry]:
    lacking = [image['id'] for image in images if image['id'] not in segments]
    if lacking:
        raise ValueError(f'{source}: image id {lacking[0]!r} has no annotation')
    return [
        _Entry(
            image,
            str(png_dir / segments[image['id']]['file_name']),
            segments[image['id']]['segments_info'],
            f'{source}: image id {image["id"]!r}',
        )
        for image in images
    ]


def image_record(
    entry: _Entry, class_ids: Mapping[Any, int], panoptic_dir: str
) -> Record:
    """Convert one image, and write its PNG.

    Args:
        entry: The image and its segments.
        class_ids: VOC's category ids by COCO's; all others are background.
        panoptic_dir: Folder of the PNG.

    Returns:
        ``image`` and ``image_id``, ``objects``, ``segments``.

    Raises:
        FileNotFoundError: Its PNG does not exist.
        ValueError: PNG and JSON do not fit together; the message names both.
    """
    size = (entry.image['height'], entry.image['width'])
    ids = read_segment_ids(entry.png, size, entry.where)
    regions = regions_of_map(ids, entry.segments, entry.png, entry.where)
    crowds = {one['id']: int(one.get('iscrowd', 0)) for one in entry.segments}
    kept = {
        one['id']: regions[one['id']].entry(
            class_ids[one['category_id']], crowds[one['id']]
        )
        for one in entry.segments
        if one['category_id'] in class_ids
    }
    rest = _unused_id(crowds)
    numbers = {key: key if key in kept else rest for key in crowds}
    ids = renumber(ids, numbers, other=VOID)
    file_name = entry.image['file_name']
    write_segment_ids(Path(panoptic_dir, Path(file_name).with_suffix('.png')), ids)
    image = dict(file_name=file_name, height=size[0], width=size[1])
    image['tags'] = sorted({one['category_id'] for one in kept.values()})
    segments = [{'id': key, **one} for key, one in kept.items()]
    others = label_regions(ids)
    if rest in others:
        segments.append({'id': rest, **others[rest].entry(BACKGROUND)})
    if VOID in others:
        image['void'] = others[VOID].rle
    return dict(
        image=image,
        image_id=entry.image['id'],
        objects=[{**kept[key], 'segmentation': regions[key].rle} for key in kept],
        segments=segments,
    )


def _unused_id(known: Mapping[int, Any]) -> int:
    """A segment id that is free for the background."""
    return next(
        number for number in range(ENCODINGS['rgb'], 0, -1) if number not in known
    )


def _assemble(
    records: Sequence[Record],
    source: Path,
    panoptic_dir: str | os.PathLike,
    min_pixels: int,
    files: Outputs,
) -> dict[str, Any]:
    info = {
        'description': "COCO with PASCAL VOC's classes",
        'mmwsis': source_block(
            'coco2voc', source, Supervision.MASKS, min_pixels=min_pixels
        ),
    }
    ids = [record['image_id'] for record in records]
    document = coco_document(records, info, voc_categories(), ids)
    for path in panoptic_json(panoptic_dir):
        panoptic = panoptic_document(records, info, voc_panoptic_categories())
        files.json(path, panoptic, source)
    return document
