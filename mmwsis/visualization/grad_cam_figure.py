"""From a classifier of crops and its images to figures of Grad-CAM and label maps."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmwsis.ops import gradcam_label_map

from .canvas import Canvas
from .coco_files import read_image, tagged_indices
from .maps import class_map_tiles, draw_numbers
from .palette import distinct_color
from .sheet import Tile, contact_sheet, save_image

UNKNOWN = 255
_SHOWN = (255, 220, 60)
_OTHER = (235, 235, 235)


@torch.no_grad()
def grad_cam_tiles(
    model: Any,
    view: Tensor,
    sample: Any,
    rgb: np.ndarray,
    classes: Sequence[str],
    num_classes: int,
) -> tuple[list[Tile], set[int]]:
    """Draw one crop of an image, the one with the most tags, and the whole image.

    Args:
        model: ``mmwsis.CropTagClassifier`` in evaluation mode.
        view: The image, ``(3, h, w)``, normalised.
        sample: Its sample, which has the predicted label map.
        rgb: RGB ``(H, W, 3)``, uint8.
        classes: Class names.
        num_classes: How many classes have a tile of their own.

    Returns:
        ``num_classes + 3`` tiles: the crops, the surest classes of one of them, its
        label map, and that of the image; and the labels in these maps.
    """
    boxes, maps = model.crop_maps(view, sample)
    number = max(range(len(maps)), key=lambda index: len(maps[index].labels))
    found, (x1, y1, x2, y2) = maps[number], boxes[number].tolist()
    crop = rgb[y1:y2, x1:x2]
    order = found.tag_logits[found.labels].argsort(descending=True)[:num_classes]
    canvas = Canvas(rgb)
    for box in boxes.tolist():
        canvas.box(tuple(box), _OTHER, 1)
    canvas.box((x1, y1, x2, y2), _SHOWN, 3)
    tiles = [Tile(canvas.image, f'image {sample.img_id}: {len(boxes)} crops')]
    shown = found.labels[order].tolist()
    heat = found.high_res[order].cpu().numpy()
    tiles += class_map_tiles(crop, shown, heat, classes) if shown else []
    tiles += [Tile(Canvas(crop).image)] * (1 + num_classes - len(tiles))
    label_map = gradcam_label_map(
        found.high_res, found.labels, model.test_cfg['threshold']
    )
    joined = sample.pred_sem_seg.sem_seg[0]
    labels = set()
    for image, values, name in ((crop, label_map, 'crop'), (rgb, joined, 'image')):
        values = values.cpu().numpy()
        drawn = draw_numbers(image, values, background=None, unknown=UNKNOWN)
        share = (values == UNKNOWN).mean()
        tiles.append(Tile(drawn, f'labels of the {name}, {share:.0%} unknown'))
        labels |= set(np.unique(values).tolist()) - {UNKNOWN}
    return tiles, labels


def draw_grad_cam(
    labeler: Any,
    out_file: str | os.PathLike,
    num: int = 4,
    num_classes: int = 3,
) -> Path:
    """Draw what a classifier of crops makes of tags, on training images.

    As Fig. 2 of `Li et al. <https://arxiv.org/abs/1808.03575>`__.

    Args:
        labeler: ``mmwsis.apis.LabelInferencer`` of the classifier.
        out_file: Image file to write.
        num: Number of images, spread over those with tags. Defaults to 4.
        num_classes: Number of maps for each of them. Defaults to 3.

    Returns:
        ``out_file``.

    Raises:
        TypeError: The config's model is no classifier of crops.
        ValueError: No image has a tag.
    """
    model, dataset = labeler.model, labeler.dataset()
    if not hasattr(model, 'crop_maps'):
        raise TypeError(
            f'{type(model).__name__} has no maps of crops; a classifier of crops has '
            '(mmwsis.CropTagClassifier).'
        )
    chosen = tagged_indices(dataset, num)
    classes, tiles, labels = dataset.metainfo['classes'], [], set()
    for index in chosen:
        data = model.data_preprocessor(pseudo_collate([dataset[index]]), False)
        with torch.no_grad():
            (sample,) = model.predict(data['inputs'], data['data_samples'])
        rgb, view = read_image(sample.img_path), data['inputs'][0]
        own, seen = grad_cam_tiles(model, view, sample, rgb, classes, num_classes)
        tiles, labels = tiles + own, labels | seen
    legend = [(classes[label], distinct_color(label)) for label in sorted(labels)]
    sheet = contact_sheet(
        tiles, num_classes + 3, legend=[*legend, ('unknown', (255,) * 3)]
    )
    return save_image(Path(out_file), sheet)
