"""Reading an export back with our own importers, and comparing mask by mask."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as mask_api

from mmwsis.formats.coco_file import annotations_by_image, read_coco
from mmwsis.formats.coco_masks import checked_rle, encode_mask

from ..conversion import RunOptions
from ..importers.import_labels import ImportSettings, import_labels
from ..importers.records import tidy_name
from .objects import ExportImage, ExportObject, rle_iou

Rle = Mapping[str, Any]


def read_back(
    to: str,
    path: Path,
    names: Sequence[str],
    img_dir: Path | None,
    run: RunOptions,
) -> dict[str, Any]:
    """Import an export.

    Args:
        to: Its format.
        path: Its file or folder.
        names: The classes.
        img_dir: The image folder, if it is known.
        run: How the import runs.

    Returns:
        COCO dictionary with the ids of the annotations, where the format holds them.
    """
    if to == 'coco':
        return read_coco(path)
    settings = ImportSettings(
        classes=names,
        img_dir=img_dir,
        missing_images='keep',
        holes=(),
        predictions=True,
        keep_ids=True,
    )
    quiet = RunOptions(workers=run.workers)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'labels.json'
        return import_labels(to, path, out, settings, run=quiet).coco


def compare(
    images: Sequence[ExportImage], found: Mapping[str, Any], has_ids: bool
) -> list[dict[str, Any]]:
    """Say of every object what came back of it.

    Args:
        images: What was exported.
        found: What came back.
        has_ids: Whether the format holds ids; else objects are told by their order, in
            which every outline is one.

    Returns:
        One row per object: ids, class, its parts and holes, the corners of its
        outlines (0: a mask), the number of objects that it became, the class that came
        back where it is another one, and the IoU with its mask before; without ids,
        also the IoU of what OpenCV fills, which is how Ultralytics and supervision read
        outlines.
    """
    by_image = annotations_by_image(found)
    classes = {one['id']: one['name'] for one in found['categories']}
    entries = {one['file_name']: by_image[one['id']] for one in found['images']}
    rows = []
    for image in images:
        own = entries.get(image.file_name, [])
        by_id = {one['id']: [one] for one in own}
        start = 0
        for one in image.objects:
            if has_ids:
                back = by_id.get(one.id, [])
            else:
                back = own[start : start + len(one.rings)]
                start += len(one.rings)
            rows.append(_row(one, image, back, has_ids, classes))
    return rows


def _row(
    one: ExportObject,
    image: ExportImage,
    back: Sequence[Mapping[str, Any]],
    has_ids: bool,
    classes: Mapping[Any, str],
) -> dict[str, Any]:
    width, height = image.size
    before = one.rle(image.size)
    masks = [checked_rle(own['segmentation'], height, width) for own in back]
    row = dict(
        annotation_id=one.id,
        image_id=image.image['id'],
        file_name=image.file_name,
        category=one.name,
        area=int(one.crop.mask.sum()),
        parts=one.num_parts,
        holes=one.num_holes,
        corners=sum(map(len, one.rings)),
        became=len(back),
        iou=rle_iou(before, mask_api.merge(masks)) if masks else 0.0,
    )
    # Labelling tools give names back with single blanks, and composed.
    others = {classes[own['category_id']] for own in back}
    others = {name for name in others if tidy_name(name) != tidy_name(one.name)}
    if others:
        row['other_class'] = ', '.join(sorted(others))
    if not has_ids:
        row['iou_opencv'] = rle_iou(before, _filled(one, image.size))
    return row


def _filled(one: ExportObject, size: tuple[int, int]) -> Rle:
    canvas = np.zeros(size[::-1], dtype=np.uint8)
    for ring in one.rings:
        cv2.fillPoly(canvas, [np.asarray(ring).astype(np.int32)], 1)
    return encode_mask(canvas)


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of all objects.

    Args:
        rows: Of :func:`compare`.

    Returns:
        Number of objects and of those that came back as one, as several, not at all
        and in another class; mean, smallest and number below 1 of every IoU.
    """
    became = np.array([row['became'] for row in rows], dtype=int)
    figures: dict[str, Any] = dict(
        objects=len(rows),
        back_as_one=int((became == 1).sum()),
        back_as_several=int((became > 1).sum()),
        lost=int((became == 0).sum()),
        other_class=sum('other_class' in row for row in rows),
    )
    for key in ('iou', 'iou_opencv'):
        values = [row[key] for row in rows if key in row]
        if values:
            figures[key] = dict(
                mean=float(np.mean(values)),
                min=float(min(values)),
                below_1=int(sum(value < 1 for value in values)),
            )
    return figures
