"""Figures of weak labels: tags, points, boxes, extreme points, masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.structures import annotation_place

from .canvas import Canvas
from .coco_files import LabelFile, read_image
from .palette import EXTREME_POINT_COLORS, POINT_COLOR, Color, distinct_color
from .sheet import Tile, contact_sheet

EXTREME_POINT_LEGEND: list[tuple[str, Color]] = list(EXTREME_POINT_COLORS.items())


def extreme_point_legend(samples: Sequence[Any]) -> list[tuple[str, Color]]:
    """Return the legend of the extreme points, empty where no sample has any.

    Args:
        samples: :class:`mmwsis.structures.ObjectCropSample` or ``InstanceData``.
    """
    shown = any('extreme_points' in sample for sample in samples)
    return EXTREME_POINT_LEGEND if shown else []


def draw_weak_labels(
    image: np.ndarray,
    annotations: Sequence[Mapping[str, Any]],
    classes: Mapping[int, str] | None = None,
    tags: Sequence[int] = (),
    min_side: int = 256,
    max_side: int = 640,
    source: str = 'annotation file',
) -> np.ndarray:
    """Draw whatever labels the annotations carry.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        annotations: COCO annotations; ``segmentation``, ``bbox``, ``extreme_points``
            and ``point`` are drawn where they exist.
        classes: Category id -> name, written beside each object.
        tags: Category ids of the whole image, written in its upper left corner.
        min_side: See :class:`Canvas`.
        max_side: See :class:`Canvas`.
        source: Name of the annotations' file, for error messages.

    Returns:
        RGB image, uint8.

    Raises:
        ValueError: A mask is broken; the message names the annotation.
    """
    canvas = Canvas(image, min_side, max_side)
    classes = classes or {}
    order = sorted(classes)
    for annotation in annotations:
        if annotation.get('segmentation'):
            category = annotation['category_id']
            mask = annotation_mask(
                annotation['segmentation'],
                image.shape[:2],
                annotation_place(source, annotation),
            )
            canvas.mask(mask, _class_color(category, order))
    for annotation in annotations:
        _draw_geometry(canvas, annotation, classes, order)
    words = [classes.get(tag, str(tag)) for tag in tags]
    if words:
        canvas.text(0, 0, 'tags: ' + ', '.join(words), (255, 255, 255))
    return canvas.image


def _draw_geometry(
    canvas: Canvas,
    annotation: Mapping[str, Any],
    classes: Mapping[int, str],
    order: Sequence[int],
) -> None:
    """Box, name, point and extreme points of one object."""
    category = annotation.get('category_id', 0)
    color = _class_color(category, order)
    name = classes.get(category, str(category))
    if annotation.get('iscrowd'):
        name += ' (crowd)'
    anchor = None
    if annotation.get('bbox') is not None:
        x, y, width, height = annotation['bbox']
        canvas.box((x, y, x + width, y + height), color)
        anchor = x, y
    if annotation.get('extreme_points') is not None:
        points = annotation['extreme_points']
        for (x, y), ink in zip(points, EXTREME_POINT_COLORS.values(), strict=True):
            canvas.point(x, y, ink)
    if annotation.get('point') is not None:
        x, y = annotation['point']
        canvas.point(x, y, POINT_COLOR)
        anchor = anchor or (x + 3, y - 3)
    if anchor is not None:
        canvas.text(*anchor, name, color)


def _class_color(category: int, order: Sequence[int]) -> Color:
    return distinct_color(order.index(category) if category in order else category)


def weak_label_sheet(
    ann_file: str | Path,
    img_dir: str | Path,
    num: int = 6,
    columns: int = 3,
    title: str = '',
) -> np.ndarray:
    """Contact sheet of a weakly-labelled file.

    Args:
        ann_file: COCO JSON with weak labels.
        img_dir: Folder of its images.
        num: Number of images.
        columns: Images a row.
        title: Heading; by default the file's name.

    Returns:
        RGB image, uint8.

    Raises:
        ValueError: No image of the file has an annotation or a tag.
    """
    labels = LabelFile.read(ann_file)
    chosen = labels.some_images(num) or [
        key for key, image in labels.images.items() if image.get('tags')
    ]
    if not chosen:
        raise ValueError(f'{ann_file}: no image has an annotation or a tag to draw.')
    tiles, legend = [], []
    for image_id in chosen[:num]:
        entry = labels.images[image_id]
        annotations = labels.annotations.get(image_id, [])
        tags = () if annotations else entry.get('tags', ())
        rgb = draw_weak_labels(
            read_image(Path(img_dir, image_file_name(entry)), image_id),
            annotations,
            labels.classes,
            tags,
            source=str(ann_file),
        )
        ids = ', '.join(str(annotation.get('id', '?')) for annotation in annotations)
        count = f'{len(annotations)} objects' if annotations else 'tags only'
        text = f'image {image_id}: {count}'
        tiles.append(Tile(rgb, f'{text}, annotations {ids}' if ids else text))
        if any('extreme_points' in annotation for annotation in annotations):
            legend = EXTREME_POINT_LEGEND
    return contact_sheet(tiles, columns, title or Path(ann_file).name, legend)
