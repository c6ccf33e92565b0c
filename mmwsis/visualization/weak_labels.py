"""Figures of weak labels: tags, points, boxes, extreme points, masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.structures import annotation_place
from mmwsis.structures.supervision import Supervision, strongest_label

from .canvas import Canvas
from .coco_files import LabelFile, read_image
from .palette import EXTREME_POINT_COLORS, Color, distinct_color
from .sheet import Tile, contact_sheet

# Up to so many points in an image have this radius in canvas pixels.
_RADII = ((8, 5.0), (20, 4.0), (np.inf, 3.0))
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
    source: str = 'annotation file',
) -> np.ndarray:
    """Draw whatever labels the annotations carry.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        annotations: COCO annotations; ``segmentation``, ``bbox``, ``extreme_points``
            and ``point`` are drawn where they exist.
        classes: Category id -> name, written beside each object.
        tags: Category ids of the whole image, written in its upper left corner.
        source: Name of the annotations' file, for error messages.

    Returns:
        RGB image, uint8.

    Raises:
        ValueError: A mask is broken; the message names the annotation.
    """
    canvas = Canvas(image)
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
    draw_points(
        canvas,
        [annotation.get('point') for annotation in annotations],
        [_class_color(one.get('category_id', 0), order) for one in annotations],
    )
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
    """Box, name and extreme points of one object."""
    category = annotation.get('category_id', 0)
    color = _class_color(category, order)
    name = classes.get(category, str(category))
    if annotation.get('iscrowd'):
        name += ' (crowd)'
    if strongest_label(annotation) is not Supervision.MASKS:
        name += score_text(annotation.get('score'))
    box = annotation.get('bbox')
    if box is not None:
        box = (*box[:2], box[0] + box[2], box[1] + box[3])
    points, point = annotation.get('extreme_points'), annotation.get('point')
    draw_object(canvas, color, name, box, points, point)


def score_text(score: float | None) -> str:
    """What stands behind the name of a point or box that a network found.

    Args:
        score: 0 to 1, or None.
    """
    return '' if score is None else f' {float(score):.2f}'


def draw_object(
    canvas: Canvas,
    color: Color,
    name: str,
    box: Sequence | None = None,
    extreme_points: Sequence | None = None,
    point: Sequence | None = None,
    corner: tuple | None = None,
) -> None:
    """Draw box and extreme points of one object, and its name beside the first label.

    Args:
        canvas: Where to.
        color: Of the box and the name, RGB.
        name: Class of the object.
        box: ``(x0, y0, x1, y1)``.
        extreme_points: Four ``(x, y)``: top, left, bottom, right.
        point: ``(x, y)``, beside which the name stands; :func:`draw_points` draws it.
        corner: Place of the name where there is neither box nor point; without it
            there is no name then.
    """
    if box is not None:
        canvas.box(tuple(box), color)
    if extreme_points is not None:
        canvas.extreme_points(extreme_points)
    if point is not None:
        corner = point[0] + 3, point[1] - 3
    corner = corner if box is None else box[:2]
    if corner is not None:
        canvas.text(*corner, name, color)


def draw_points(
    canvas: Canvas, points: Sequence[Sequence | None], colors: Sequence[Color]
) -> None:
    """Draw the points of an image, smaller where there are many.

    Args:
        canvas: Where to. Draw the objects' names before: they would hide points.
        points: ``(x, y)`` of each object, or None.
        colors: Of each object, that of its name, RGB.
    """
    shown = [
        (point, color) for point, color in zip(points, colors) if point is not None
    ]
    radius = next(size for most, size in _RADII if len(shown) <= most)
    for point, color in shown:
        canvas.point(*point, color, radius)


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
            read_image(Path(img_dir, image_file_name(entry)), image_id, entry),
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
