"""Panoptic maps in the colours of their classes, and how labels change over rounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.segment_maps import distinct, renumber

from .canvas import Canvas
from .coco_files import LabelFile, read_image, spread
from .maps import draw_numbers
from .palette import Color, distinct_color
from .sheet import Tile, contact_sheet

_UNKNOWN = -1
_UNKNOWN_COLOR: Color = (255, 255, 255)
_LINE = (20, 20, 20)


@dataclass(frozen=True)
class PanopticColumn:
    """One column of a comparison.

    Attributes:
        title: What it shows, such as ``'round 2'``.
        file: Whose segments it shows.
    """

    title: str
    file: PanopticFile


def draw_panoptic(
    image: np.ndarray,
    ids: np.ndarray,
    segments: Sequence[Mapping[str, Any]],
    labels: Mapping[int, int],
    alpha: float = 0.7,
) -> np.ndarray:
    """Tint segments in the colours of their classes, with lines between them.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        ids: ``(H, W)`` integers: a segment's id at each pixel.
        segments: ``segments_info``: ``id`` and ``category_id`` of each. Pixels of other
            ids become white.
        labels: Category id -> number of its colour, from 0.
        alpha: Opacity of the tint, 0 to 1. Defaults to 0.7.

    Returns:
        RGB image, uint8.

    Raises:
        ValueError: The map is not as large as the image.

    Example:
        >>> image, ids = np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), int)
        >>> ids[:, 30:] = 7
        >>> draw_panoptic(image, ids, [dict(id=7, category_id=3)], {3: 0}).shape
        (256, 384, 3)
    """
    if ids.shape != image.shape[:2]:
        raise ValueError(f'The map is {ids.shape}, its image {image.shape[:2]}.')
    numbers = {one['id']: labels[one['category_id']] for one in segments}
    drawn = draw_numbers(image, renumber(ids, numbers, _UNKNOWN), None, _UNKNOWN, alpha)
    places = distinct(ids)[1].astype(np.float32)  # exact up to 2^24
    size = drawn.shape[1], drawn.shape[0]
    large = cv2.resize(places, size, interpolation=cv2.INTER_NEAREST)
    edge = np.zeros(large.shape, dtype=bool)
    edge[1:] |= large[1:] != large[:-1]
    edge[:, 1:] |= large[:, 1:] != large[:, :-1]
    drawn[edge] = _LINE
    return drawn


def panoptic_sheet(
    img_dir: str | Path,
    truth: PanopticFile | None,
    others: Sequence[PanopticColumn],
    image_ids: Sequence[Any] | None = None,
    num: int = 4,
    title: str = '',
) -> np.ndarray:
    """Images, labels of several rounds and the truth side by side, a row per image.

    As Fig. 4 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018). A class has one colour
    in all columns; what is not labelled is white.

    Args:
        img_dir: Folder of the images.
        truth: The ground truth; None: there is none, and no column of it.
        others: Columns between image and truth; all have the same categories.
        image_ids: Which images. Defaults to None: ``num`` of those that all files have,
            spread over them.
        num: Number of images. Defaults to 4.
        title: Heading. Defaults to none.

    Returns:
        RGB image, uint8.

    Raises:
        FileNotFoundError: An image or a map is missing.
        ValueError: The files have no image in common, or there is none.
    """
    columns = [*others, *([] if truth is None else [PanopticColumn('truth', truth)])]
    if not columns:
        raise ValueError('Expected labels to draw, a truth or both; got neither.')
    last = columns[-1].file  # the truth where there is one
    if image_ids is None:
        wanted = [set(column.file.image_ids) for column in columns]
        shared = [k for k in last.image_ids if all(k in own for own in wanted)]
        image_ids = spread(shared, num) if shared else []
    if not image_ids:
        raise ValueError(f'{last.ann_file} shares no image with all of the others.')
    entries = LabelFile.read(last.ann_file).images
    labels = {key: label for label, key in enumerate(last.categories)}
    tiles = []
    for image_id in image_ids:
        entry = entries[image_id]
        image = read_image(Path(img_dir, image_file_name(entry)), image_id, entry)
        tiles.append(Tile(Canvas(image).image, f'image {image_id}'))
        tiles += [_column_tile(column, image_id, image, labels) for column in columns]
    names = [one['name'] for one in last.categories.values()]
    legend = [(name, distinct_color(label)) for label, name in enumerate(names)]
    legend.append(('not labelled', _UNKNOWN_COLOR))
    return contact_sheet(tiles, len(columns) + 1, title, legend)


def _column_tile(
    column: PanopticColumn,
    image_id: Any,
    image: np.ndarray,
    labels: Mapping[int, int],
) -> Tile:
    file = column.file
    ids, segments = file.segment_map(image_id), file.segments(image_id)
    unknown = ~np.isin(ids, [one['id'] for one in segments])
    caption = f'{column.title}: {len(segments)} segments'
    if unknown.any():
        caption += f', {unknown.mean():.0%} not labelled'
    return Tile(draw_panoptic(image, ids, segments, labels), caption)
