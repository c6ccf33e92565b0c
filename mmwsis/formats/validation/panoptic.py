"""Validation of COCO panoptic files: a JSON, and PNGs whose colours are segment ids."""

import os.path as osp
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.structures.extreme_points import is_finite_number
from mmwsis.structures.supervision import Supervision

from ..json_file import read_json, refuse_other_json
from ..segment_maps import VOID, decode_segment_map, is_grey, is_segment_id
from .columns import ImageTable, is_id
from .header import check_categories, check_images, check_lists
from .issues import IssueLog
from .validator import ValidationReport

_SEGMENT_KEYS = ('id', 'category_id', 'bbox', 'area')
_LISTED = 5


def validate_panoptic(
    path: str, seg_dir: str, max_pngs: int = 100, max_examples: int = 5
) -> ValidationReport:
    """Check a panoptic file as MMDetection's dataset reads it.

    Args:
        path: Panoptic JSON.
        seg_dir: Folder of its PNGs, named after the images.
        max_pngs: How many PNGs are compared with the JSON, from the first to the last.
        max_examples: Examples kept per rule.

    Returns:
        A report by the rules of the label file and the ``panoptic-`` ones; its summary
        has the numbers of ``images`` and ``segments``.

    Raises:
        FileNotFoundError: There is no such file.
        NotADirectoryError: There is no such folder.
        ValueError: It is no panoptic JSON.
    """
    document = read_json(path)
    if not osp.isdir(seg_dir):
        raise NotADirectoryError(f'{path}: there is no folder {seg_dir} of its PNGs.')
    refuse_other_json(document, path)
    check_lists(document, path, ('images', 'annotations', 'categories'))
    log, images = IssueLog(max_examples), ImageTable()
    known = check_categories(document['categories'], log)
    for entry in document['categories']:
        if isinstance(entry, Mapping) and entry.get('isthing') not in (0, 1):
            text = f'category {entry.get("name")!r} needs isthing, 0 or 1.'
            log.add('panoptic-format', text)
    check_images(document['images'], images, log, None, Supervision.MASKS, False)
    segments: dict[Any, set[int]] = {}
    for entry in document['annotations']:
        fault = _entry_fault(entry, images, known)
        image_id = entry.get('image_id') if isinstance(entry, Mapping) else None
        if fault:
            log.add_image('panoptic-format', image_id, fault)
        else:
            own = segments.setdefault(image_id, set())
            own.update(segment['id'] for segment in entry['segments_info'])
    sample = images.sample(max_pngs)
    for image_id, name, size in zip(sample.ids, sample.files, sample.sizes):
        if name is not None and image_id in segments:
            png = osp.join(seg_dir, name.replace('.jpg', '.png'))
            for rule, text in _png_faults(png, size, segments[image_id]):
                log.add_image(rule, image_id, text)
    counts = dict(images=len(images.ids), segments=sum(map(len, segments.values())))
    names = list(known.values())
    return ValidationReport(path, log, names, None, 'panoptic', counts, images)


def _entry_fault(entry: Any, images: ImageTable, known: Mapping[Any, str]) -> str:
    """What is wrong with an entry of annotations; empty: nothing."""
    if not isinstance(entry, Mapping):
        return f'every entry of annotations must be an object; got {entry!r}.'
    if not is_id(entry.get('image_id')) or entry['image_id'] not in images.index:
        return 'image_id is not the id of an image of the file.'
    segments = entry.get('segments_info')
    if not isinstance(segments, list):
        return 'segments_info must be a list; is this an instances file?'
    seen = set()
    for segment in segments:
        if not isinstance(segment, Mapping):
            return f'a segment must be an object; got {segment!r}.'
        missing = [key for key in _SEGMENT_KEYS if segment.get(key) is None]
        number, category = segment.get('id'), segment.get('category_id')
        if missing:
            return f'segment id {number!r} lacks {", ".join(missing)}.'
        if not is_segment_id(number):
            return f'segment id {number!r} must be 1 to 2^24 - 1; 0 is no segment.'
        if number in seen:
            return f'segment id {number} is listed twice.'
        seen.add(number)
        if not is_id(category) or category not in known:
            return f'category_id {category!r} of segment id {number} is unknown.'
        box = segment['bbox']
        numbers = [*box, segment['area']] if isinstance(box, list) else []
        if len(numbers) != 5 or not all(map(is_finite_number, numbers)):
            return f'bbox or area of segment id {number} is broken.'
    return ''


def _png_faults(
    path: str, size: tuple[float, float], listed: set[int]
) -> Iterator[tuple[str, str]]:
    try:
        content = Path(path).read_bytes()
        ids = decode_segment_map(content, path)
    except OSError:
        yield 'panoptic-png', f'there is no readable file {path}.'
        return
    except ValueError as error:
        yield 'panoptic-png', str(error)
        return
    if is_grey(content):
        yield 'panoptic-grey', f'{path} has one channel of 16 bits.'
    if ids.shape[::-1] != tuple(size):
        height, width = ids.shape
        text = f'{path} has {width} x {height} pixels, the JSON says {size}.'
        yield 'panoptic-png', text
        return
    drawn = {number for number in np.unique(ids).tolist() if number > VOID}
    if drawn - listed:
        yield (
            'panoptic-unlisted',
            f'{path} has {_some(drawn - listed)}, which segments_info lacks.',
        )
    if listed - drawn:
        yield (
            'panoptic-absent',
            f'segments_info has {_some(listed - drawn)}, which {path} lacks.',
        )


def _some(ids: set[int]) -> str:
    more = f' and {len(ids) - _LISTED} more' if len(ids) > _LISTED else ''
    return f'segment id {", ".join(map(str, sorted(ids)[:_LISTED]))}{more}'
