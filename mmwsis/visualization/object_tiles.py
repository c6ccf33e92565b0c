"""A labeler's object in its surroundings: weak label, ground truth and prediction."""

from typing import Any

import numpy as np

from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.utils.arrays import to_numpy

from .canvas import Canvas
from .comparison import mask_overlap
from .samples import class_name
from .sheet import Tile


def object_tiles(
    image: np.ndarray,
    sample: Any,
    classes: tuple[str, ...] = (),
    draw_gt: bool = True,
    draw_pred: bool = True,
    margin: float = 0.25,
) -> list[Tile]:
    """Draw weak label, ground truth and prediction of one object.

    Args:
        image: The whole image, RGB ``(H, W, 3)``, uint8.
        sample: :class:`mmwsis.structures.ObjectCropSample`.
        classes: Class names.
        draw_gt: Draw ``gt_mask`` if known.
        draw_pred: Draw ``pred_mask`` if known.
        margin: Border around the box, as a part of its longer side.

    Returns:
        One to three tiles.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = _surroundings(sample, height, width, margin)
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    canvas = Canvas(part)
    bx0, by0, bx1, by1 = sample.bbox
    canvas.box((bx0 - x0, by0 - y0, bx1 - x0, by1 - y0), (255, 255, 255))
    if 'extreme_points' in sample:
        canvas.extreme_points(to_numpy(sample.extreme_points) - (x0, y0))
    name = class_name(sample.get('label'), classes)
    ids = f'image {sample.get("img_id")}, annotation {sample.get("ann_id")}'
    tiles = [Tile(canvas.image, f'{ids}: {name}')]
    masks = {}
    for wanted, key in ((draw_gt, 'gt_mask'), (draw_pred, 'pred_mask')):
        if wanted and sample.get(key) is not None:
            masks[key] = annotation_mask(
                sample.get(key), (height, width), f'{ids}: {key}'
            )
    if 'gt_mask' in masks:
        truth = Canvas(part).mask(masks['gt_mask'][y0:y1, x0:x1], (60, 220, 90))
        tiles.append(Tile(truth.image, 'ground truth'))
    if 'pred_mask' in masks:
        drawn = Canvas(part).mask(masks['pred_mask'][y0:y1, x0:x1], (255, 70, 60))
        score = sample.get('pred_score')
        caption = f'prediction, score {1 if score is None else float(score):.2f}'
        if 'gt_mask' in masks:
            overlap = mask_overlap(masks['pred_mask'], masks['gt_mask'])
            caption += f', IoU {overlap:.2f}'
        tiles.append(Tile(drawn.image, caption))
    return tiles


def _surroundings(
    sample: Any, height: int, width: int, margin: float
) -> tuple[int, int, int, int]:
    """Part of the image around an object, half-open and inside the image."""
    x0, y0, x1, y1 = sample.bbox
    border = margin * max(x1 - x0, y1 - y0) + 4
    left, top = max(0, int(x0 - border)), max(0, int(y0 - border))
    return (
        left,
        top,
        min(width, max(left + 1, int(np.ceil(x1 + border)))),
        min(height, max(top + 1, int(np.ceil(y1 + border)))),
    )
