"""The review list as one HTML file with a thumbnail for every label."""

import base64
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.coco_masks import MaskCrop, MaskError, decode_segmentation
from mmwsis.utils.parallel import OrderedPool
from mmwsis.utils.progress_bar import progress_bar
from mmwsis.visualization.html_page import HtmlPage

from .label_signals import mask_window, read_label_image
from .review_list import ReviewedLabel, ReviewList, rounded
from .review_script import CONTROLS, SCRIPT, STYLE

# At this size and quality 10,000 pictures take some 20 MB.
_SIDE, _QUALITY, _MARGIN = 100, 55, 0.3
_GREY = 128
_LINE, _EDGE = (255, 224, 0), (0, 0, 0)


@dataclass(frozen=True)
class _Pictures:
    """Labels of one image that need a thumbnail."""

    label_path: str
    image: Mapping[str, Any]
    path: Path | None
    masks: Sequence[Any]


def write_page(
    found: ReviewList,
    out: str | os.PathLike,
    img_dir: str | os.PathLike | None = None,
    limit: int = 10000,
    workers: int = 1,
) -> None:
    """Write the page.

    Args:
        found: The list.
        out: HTML file.
        img_dir: Folder of the images. Defaults to None: outlines are drawn on grey.
        limit: Only so many labels, from the first. Defaults to 10000.
        workers: Processes. Defaults to 1: this one.

    Raises:
        FileNotFoundError: An image does not exist.
        ValueError: An image has another size than its labels.
    """
    rows = found.labels[:limit]
    pictures = _thumbnails(rows, str(found.path), img_dir, workers)
    names, classes = list(found.signal_names), sorted({r.class_name for r in rows})
    table = [
        _entry(rank, row, names, classes, picture)
        for rank, (row, picture) in enumerate(zip(rows, pictures), 1)
    ]
    content = dict(signals=names, classes=classes, rows=table)
    page = HtmlPage(f'Labels to review: {found.path.name}')
    cut = '' if len(rows) == len(found.labels) else f' of {len(found.labels)}'
    page.paragraph(
        f'{len(rows)}{cut} pseudo labels, least trusted first. The confidence ranks '
        'the labels of this file; it is no accuracy. Underlined: the signal that '
        'speaks most against a label.'
    )
    # In JSON, "<" may be written as its code, and so no text ends the script.
    text = json.dumps(content, separators=(',', ':')).replace('<', '\\u003c')
    page.raw(STYLE)
    page.raw(CONTROLS)
    page.raw(f'<script type="application/json" id="labels">{text}</script>')
    page.script(SCRIPT)
    page.write(out)


def _entry(
    rank: int,
    row: ReviewedLabel,
    names: Sequence[str],
    classes: Sequence[str],
    picture: str,
) -> list[Any]:
    """A row of the page's table; the script says what is where."""
    values = [row.signals[name] for name in names]
    weakest = names.index(row.weakest) if row.weakest in names else -1
    return [
        *(rank, row.image['id'], row.annotation['id'], image_file_name(row.image)),
        *(classes.index(row.class_name), round(row.confidence, 4)),
        *([None if v is None else rounded(v) for v in values], weakest, picture),
    ]


def _thumbnails(
    rows: Sequence[ReviewedLabel],
    label_path: str,
    img_dir: str | os.PathLike | None,
    workers: int,
) -> list[str]:
    """WebP in base64 of every label; an image is read once for all of its labels."""
    places: dict[Any, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[row.image['id']].append(place)
    jobs = []
    for own in places.values():
        image = rows[own[0]].image
        path = None if img_dir is None else Path(img_dir) / image_file_name(image)
        masks = [rows[place].annotation['segmentation'] for place in own]
        jobs.append(_Pictures(label_path, image, path, masks))
    pictures = [''] * len(rows)
    with OrderedPool(workers) as pool, progress_bar('pictures') as start:
        advance = start(len(rows))
        done = pool.imap(_image_thumbnails, jobs, _place)
        for own, made in zip(places.values(), done):
            for place, picture in zip(own, made):
                pictures[place] = picture
            advance(len(own))
    return pictures


def _place(job: _Pictures) -> str:
    return f'{job.label_path}: image id {job.image["id"]!r}'


def _image_thumbnails(job: _Pictures) -> list[str]:
    size = job.image['height'], job.image['width']
    if job.path is None:
        rgb = np.full((*size, 3), _GREY, np.uint8)
    else:
        rgb = read_label_image(job.path, job.image, job.label_path)
    return [_encoded(thumbnail(rgb, mask)) for mask in job.masks]


def thumbnail(rgb: np.ndarray, segmentation: Any) -> np.ndarray:
    """An object in its surroundings with the outline of its mask.

    Args:
        rgb: The whole image, uint8 ``(H, W, 3)``.
        segmentation: Mask, checked; of an empty one the whole image is shown.

    Returns:
        RGB uint8, its longer side 100 pixels.
    """
    height, width = rgb.shape[:2]
    try:
        crop = decode_segmentation(segmentation, height, width)
    except MaskError:
        crop = MaskCrop(np.zeros((height, width), np.uint8), (0, 0))
    part, mask = mask_window(rgb, crop, _MARGIN, 8)
    scale = _SIDE / max(mask.shape)
    sides = tuple(max(1, round(scale * side)) for side in mask.shape[::-1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    part = cv2.resize(part, sides, interpolation=way)
    mask = cv2.resize(mask, sides, interpolation=cv2.INTER_NEAREST_EXACT)
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(part, outlines, -1, _EDGE, 3)
    return cv2.drawContours(part, outlines, -1, _LINE, 1)


def _encoded(rgb: np.ndarray) -> str:
    quality = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    _, data = cv2.imencode('.webp', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
    return base64.b64encode(data).decode('ascii')
