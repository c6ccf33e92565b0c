"""Tiles of what a dataset yields: object crops, whole images, raw entries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.utils.arrays import to_numpy

from .canvas import Canvas
from .palette import distinct_color
from .retrieval import points_on_crop
from .sheet import Tile
from .weak_labels import draw_object, draw_points, score_text


def to_rgb(image: torch.Tensor | np.ndarray, bgr: bool = False) -> np.ndarray:
    """Turn a packed image into an RGB image.

    Args:
        image: ``(3, H, W)`` tensor or ``(H, W, 3)`` array, 0-255.
        bgr: The channels are blue, green, red.

    Returns:
        RGB ``(H, W, 3)``, uint8.
    """
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu().permute(1, 2, 0).numpy()
    rgb = image[..., ::-1] if bgr else image
    if rgb.dtype != np.uint8:
        rgb = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(rgb)


def class_name(label: int | None, classes: Sequence[str]) -> str:
    """Return the name of a class index, or the index where there is none.

    Args:
        label: Class index.
        classes: Names.
    """
    if label is not None and 0 <= int(label) < len(classes):
        return classes[int(label)]
    return f'class {label}'


def crop_caption(sample: Any, classes: Sequence[str]) -> str:
    """Say which object a crop shows.

    Args:
        sample: :class:`mmwsis.structures.ObjectCropSample`.
        classes: Class names.
    """
    name = class_name(sample.get('label'), classes)
    caption = f'image {sample.get("img_id")}, annotation {sample.get("ann_id")}: {name}'
    return caption + (', mirrored' if sample.get('flip') else '')


def crop_tiles(
    inputs: Mapping[str, torch.Tensor], sample: Any, classes: Sequence[str] = ()
) -> list[Tile]:
    """Draw a packed object crop, one tile per view.

    Args:
        inputs: View name -> ``(3, S, S)``, 0-255, RGB.
        sample: Its :class:`mmwsis.structures.ObjectCropSample`; box mask and extreme
            points are drawn where it has them.
        classes: Class names.

    Returns:
        The tiles; the first caption says image and annotation.
    """
    tiles = []
    for view, image in inputs.items():
        canvas = Canvas(to_rgb(image), 256, 320)
        if 'box_mask' in sample:
            mask = sample.box_mask.cpu().numpy()
            canvas.mask(mask, (255, 255, 255), alpha=0.0)
        if 'extreme_points' in sample:
            points = sample.extreme_points.cpu().numpy()
            moved = points_on_crop(
                points, sample.crop_box, sample.flip, sample.crop_size
            )
            canvas.extreme_points(moved)
        tiles.append(
            Tile(canvas.image, f'{view} view; {crop_caption(sample, classes)}')
        )
    return tiles


def detection_tile(
    image: torch.Tensor, sample: Any, classes: Sequence[str] = (), bgr: bool = True
) -> Tile:
    """Draw a packed whole image with its ground truth.

    Args:
        image: ``(3, H, W)``, 0-255.
        sample: ``mmdet.structures.DetDataSample``.
        classes: Class names.
        bgr: Channel order of ``image``; MMDetection loads BGR.

    Returns:
        The tile.
    """
    rgb = to_rgb(image, bgr)
    drawn = draw_instances(rgb, sample.get('gt_instances'), classes)
    count = len(sample.gt_instances) if 'gt_instances' in sample else 0
    caption = f'image {sample.get("img_id")}: {count} objects'
    tags = [class_name(tag, classes) for tag in sample.get('tags', None) or ()]
    if tags and not count:
        caption += f', tags: {", ".join(tags)}'
    if sample.get('num_dropped'):
        caption += f', {sample.num_dropped} left out'
    return Tile(drawn, caption)


def draw_instances(
    rgb: np.ndarray, instances: Any, classes: Sequence[str] = ()
) -> np.ndarray:
    """Draw the ground truth of MMDetection: masks, boxes, weak points, names.

    Args:
        rgb: RGB ``(H, W, 3)``, uint8.
        instances: ``InstanceData`` with any of ``masks``, ``bboxes``, ``labels``,
            ``points``, ``scores`` and ``extreme_points``; ``None`` draws nothing.
        classes: Class names.

    Returns:
        RGB image, uint8.
    """
    canvas = Canvas(rgb)
    if instances is None or len(instances) == 0:
        return canvas.image
    masks = _mask_array(instances.get('masks'), rgb.shape[:2])
    for i, mask in enumerate(masks or ()):
        canvas.mask(mask, distinct_color(i))
    boxes = instances.get('bboxes')
    boxes = None if boxes is None else to_numpy(getattr(boxes, 'tensor', boxes))
    scores, points = (
        instances.get(key, [None] * len(instances)) for key in ('scores', 'points')
    )
    for i in range(len(instances)):
        label = instances.labels[i] if 'labels' in instances else None
        corner = None
        if masks and masks[i].any():
            rows, columns = np.nonzero(masks[i])
            corner = columns.min(), rows.min()
        draw_object(
            canvas,
            distinct_color(i),
            class_name(label, classes) + score_text(scores[i]),
            boxes[i] if boxes is not None and boxes[i].sum() > 0 else None,
            instances.extreme_points[i] if 'extreme_points' in instances else None,
            points[i],
            corner,
        )
    draw_points(canvas, points, [distinct_color(i) for i in range(len(points))])
    return canvas.image


def original_tile(
    info: Mapping[str, Any], rgb: np.ndarray, classes: Sequence[str]
) -> Tile:
    """Draw an entry of a dataset before its pipeline, on the whole image.

    Args:
        info: ``dataset.get_data_info(i)`` of a COCO or object crop dataset.
        rgb: The image, RGB ``(H, W, 3)``, uint8.
        classes: Class names.

    Returns:
        The tile.
    """
    canvas = Canvas(rgb)
    objects = info.get('instances', [info])
    for index, entry in enumerate(objects):
        color = distinct_color(index)
        mask = entry.get('mask') or entry.get('gt_mask')
        if mask:
            where = (
                f'{info.get("img_path")}: annotation id '
                f'{entry.get("ann_id")!r} of image id {info.get("img_id")!r}'
            )
            canvas.mask(annotation_mask(mask, rgb.shape[:2], where), color)
        name = class_name(entry.get('bbox_label', entry.get('label')), classes)
        name += score_text(entry.get('score'))
        shape = [entry.get(key) for key in ('bbox', 'extreme_points', 'point')]
        draw_object(canvas, color, name, *shape)
    points = [entry.get('point') for entry in objects]
    draw_points(canvas, points, [distinct_color(i) for i in range(len(points))])
    caption = f'image {info.get("img_id")}'
    if 'ann_id' in info:
        caption += f', annotation {info["ann_id"]}'
    else:
        ids = [str(entry['ann_id']) for entry in objects if 'ann_id' in entry]
        caption += f': {len(objects)} objects'
        caption += f', annotations {", ".join(ids)}' if ids else ''
        tags = [class_name(tag, classes) for tag in info.get('tags', ())]
        if tags and not objects:
            canvas.text(0, 0, 'tags: ' + ', '.join(tags), (255, 255, 255))
    return Tile(canvas.image, caption)


def _mask_array(masks: Any, size: tuple[int, int]) -> list[np.ndarray] | None:
    """Masks of any of MMDetection's kinds as ``(H, W)`` arrays."""
    if masks is None:
        return None
    if hasattr(masks, 'to_ndarray'):
        masks = masks.to_ndarray()
    if isinstance(masks, torch.Tensor):
        masks = to_numpy(masks)
    return [
        annotation_mask(mask, size, f'mask {number}')
        if isinstance(mask, (dict, list))
        else mask
        for number, mask in enumerate(masks)
    ]
