"""Masks side by side: pseudo labels or predictions beside the ground truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.coco_file import image_file_name

from .canvas import Canvas
from .coco_files import LabelFile, read_image
from .palette import Color, distinct_color
from .sheet import Tile, contact_sheet

_UNMATCHED: Color = (235, 235, 235)


@dataclass(frozen=True)
class MaskColumn:
    """One column of a comparison.

    Attributes:
        title: What it shows, such as ``'ground truth'``.
        labels: File whose masks it shows.
        score_thr: Masks with a lower score are left out.
    """

    title: str
    labels: LabelFile
    score_thr: float = 0.0


def mask_overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the intersection over union of two masks, 0 if both are empty.

    Args:
        first: ``(H, W)``, non-zero inside.
        second: Same shape.
    """
    first, second = first != 0, second != 0
    return float((first & second).sum() / max((first | second).sum(), 1))


def comparison_sheet(
    img_dir: str | Path,
    truth: LabelFile,
    others: Sequence[MaskColumn],
    image_ids: Sequence[Any] | None = None,
    num: int = 6,
    title: str = '',
) -> np.ndarray:
    """The ground truth and what was predicted side by side, image by image.

    An object has the same colour in every column: by annotation id where the files
    share their ids (pseudo labels of known objects), else by the ground-truth object of
    the same class that it overlaps most (at least 0.5); what matches nothing is drawn
    in grey.

    Args:
        img_dir: Folder of the images.
        truth: Ground truth.
        others: Columns beside it.
        image_ids: Which images; by default ``num`` spread over the file.
        num: Number of images.
        title: Heading.

    Returns:
        RGB image, uint8.

    Raises:
        ValueError: The ground truth has no annotated image.
    """
    chosen = truth.some_images(num) if image_ids is None else list(image_ids)
    if not chosen:
        raise ValueError(f'{truth.path} has no annotated image to compare on.')
    tiles = []
    for image_id in chosen:
        entry = truth.images[image_id]
        image = read_image(Path(img_dir, image_file_name(entry)), image_id, entry)
        tiles += _image_row(image, image_id, truth, others)
    columns = len(others) + 1
    # Two images per row, where that stays as wide as a screen.
    return contact_sheet(tiles, columns * (2 if columns <= 2 else 1), title)


def _image_row(
    image: np.ndarray, image_id: Any, truth: LabelFile, others: Sequence[MaskColumn]
) -> list[Tile]:
    """Tiles of one image."""
    objects = [(a, truth.mask(a, image.shape[:2])) for a in truth.masked(image_id)]
    colors = [distinct_color(index) for index in range(len(objects))]
    canvas = Canvas(image)
    for (_, mask), color in zip(objects, colors, strict=True):
        canvas.mask(mask, color)
    for (annotation, mask), color in zip(objects, colors, strict=True):
        _name(canvas, mask, truth.classes.get(annotation['category_id'], '?'), color)
    ids = ', '.join(str(annotation.get('id', '?')) for annotation, _ in objects)
    tiles = [Tile(canvas.image, f'ground truth, image {image_id}, annotations {ids}')]
    for column in others:
        tiles.append(_compared(image, image_id, column, truth, objects, colors))
    return tiles


def _compared(
    image: np.ndarray,
    image_id: Any,
    column: MaskColumn,
    truth: LabelFile,
    objects: Sequence[tuple[Mapping[str, Any], np.ndarray]],
    colors: Sequence[Color],
) -> Tile:
    """One predicted tile; its caption says how well it overlaps."""
    canvas = Canvas(image)
    shown = [
        annotation
        for annotation in column.labels.masked(image_id)
        if annotation.get('score', 1.0) >= column.score_thr
    ]
    best: dict[int, float] = {}
    drawn = []
    # The best-scored mask of an object is drawn last, on top.
    for annotation in sorted(shown, key=lambda item: item.get('score', 1.0)):
        mask = column.labels.mask(annotation, image.shape[:2])
        match, overlap = _match(annotation, mask, objects)
        color = _UNMATCHED if match is None else colors[match]
        if match is not None:
            best[match] = max(overlap, best.get(match, 0.0))
        canvas.mask(mask, color)
        drawn.append((annotation, mask, color))
    for annotation, mask, color in drawn:
        name = truth.classes.get(annotation['category_id'], '?')
        score = annotation.get('score')
        _name(canvas, mask, name if score is None else f'{name} {score:.2f}', color)
    caption = f'{column.title}: {len(shown)} masks'
    if objects:
        mean = sum(best.values()) / len(objects)
        caption += f', mean IoU {mean:.2f} over {len(objects)} objects'
    return Tile(canvas.image, caption)


def _match(
    annotation: Mapping[str, Any],
    mask: np.ndarray,
    objects: Sequence[tuple[Mapping[str, Any], np.ndarray]],
) -> tuple[int | None, float]:
    """Index of the true object that a mask stands for, and their overlap."""
    own = annotation.get('id')
    for index, (other, true_mask) in enumerate(objects):
        known = 'weak_bbox' in annotation or 'weak_point' in annotation
        if known and own is not None and other.get('id') == own:
            return index, mask_overlap(mask, true_mask)
    overlaps = [
        mask_overlap(mask, true_mask)
        if other['category_id'] == annotation['category_id']
        else 0.0
        for other, true_mask in objects
    ]
    if not overlaps or max(overlaps) < 0.5:
        return None, 0.0
    return int(np.argmax(overlaps)), max(overlaps)


def _name(canvas: Canvas, mask: np.ndarray, text: str, color: Color) -> None:
    """Write a name at the upper left of a mask."""
    rows, columns = np.nonzero(mask)
    if len(rows):
        canvas.text(columns.min(), rows.min() + 1, text, color)
