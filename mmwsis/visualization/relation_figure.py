"""From an IRNet labeler and images to figures of its maps."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from mmwsis.ops import (
    affinity_walk,
    best_channels,
    centroid_instance_map,
    instance_channels,
)

from .canvas import Canvas
from .coco_files import LabelFile, read_image, tagged_indices
from .displacement import draw_displacement
from .maps import draw_heat, draw_numbers
from .palette import distinct_color
from .sheet import Tile, contact_sheet, save_image


@torch.no_grad()
def relation_tiles(
    model: Any, image: torch.Tensor, sample: Any, rgb: np.ndarray
) -> list[Tile]:
    """Draw the maps of one image.

    Args:
        model: ``mmwsis.IRNet`` in evaluation mode.
        image: ``(3, H, W)``, normalised.
        sample: Its data sample, with ``class_maps``.
        rgb: RGB ``(H, W, 3)``, uint8.

    Returns:
        Six tiles: class maps, boundaries, displacements, instance map, random walk,
        pseudo instances.
    """
    size = tuple(sample.img_shape)
    edge, displacement = model.relations(image)
    cams, _ = model.class_maps(sample)
    cfg = model.test_cfg
    instances = centroid_instance_map(
        displacement, cfg['num_updates'], cfg['weak_threshold']
    )
    walked = affinity_walk(
        instance_channels(cams, instances),
        edge,
        cfg['walk_radius'],
        cfg['beta'],
        cfg['num_steps'],
    )
    best = best_channels(walked, size, cfg['instance_threshold'])
    strength = torch.where(best.index > 0, best.score, 0).cpu().numpy()
    strongest = cams.amax(0) if len(cams) else edge.new_zeros(edge.shape[1:])
    model.artifact = 'instances'
    (found,) = model.predict(image[None], [sample])
    kept = found.pred_instances[found.pred_instances.scores > 0]
    canvas = Canvas(rgb)
    for number, mask in enumerate(kept.masks.numpy()):
        canvas.mask(mask.astype(np.uint8), distinct_color(number))
    return [
        Tile(
            draw_heat(rgb, strongest.cpu().numpy()),
            f'image {sample.get("img_id")}: class maps, before the walk',
        ),
        Tile(
            draw_heat(np.zeros_like(rgb), edge[0].cpu().numpy(), alpha=1.0),
            'boundary probability',
        ),
        Tile(
            draw_displacement(rgb, displacement.cpu().numpy()),
            'displacement to the centroid (wheel: direction)',
        ),
        Tile(
            draw_numbers(rgb, instances.ids.cpu().numpy(), background=None),
            f'instance map, {_count(instances.count, "group")}',
        ),
        Tile(draw_heat(rgb, strength), 'after the random walk, above threshold'),
        Tile(canvas.image, _count(len(kept), 'pseudo instance')),
    ]


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def truth_tile(labels: LabelFile, image_id: Any, rgb: np.ndarray) -> Tile:
    """Draw the ground truth of an image.

    Args:
        labels: Fully labelled file.
        image_id: Which image.
        rgb: RGB ``(H, W, 3)``, uint8.
    """
    canvas = Canvas(rgb)
    annotations = labels.masked(image_id)
    for number, annotation in enumerate(annotations):
        canvas.mask(labels.mask(annotation, rgb.shape[:2]), distinct_color(number))
    return Tile(canvas.image, f'ground truth, {_count(len(annotations), "object")}')


def draw_relations(
    labeler: Any,
    out_file: str | os.PathLike,
    num: int = 4,
) -> Path:
    """Draw the maps of a trained IRNet on images that it labels.

    Args:
        labeler: ``mmwsis.apis.LabelInferencer`` of the labeler.
        out_file: Image file to write.
        num: Number of images, spread over those with tags.

    Returns:
        ``out_file``.

    Raises:
        TypeError: The config's model has no relations to draw.
        ValueError: No image has a tag.
    """
    model, dataset = labeler.model, labeler.dataset()
    if not hasattr(model, 'relations'):
        raise TypeError(
            f'{type(model).__name__} has no boundaries and displacements; IRNet has '
            '(mmwsis.IRNet).'
        )
    chosen = tagged_indices(dataset, num)
    truth = training_truth(labeler.cfg.get('data_spec') or {})
    tiles = []
    for index in chosen:
        batch = pseudo_collate([dataset[index]])
        data = model.data_preprocessor(batch, False)
        (sample,) = data['data_samples']
        rgb = read_image(sample.img_path)
        tiles += relation_tiles(model, data['inputs'][0], sample, rgb)
        if truth is not None:
            tiles.append(truth_tile(truth, sample.img_id, rgb))
    return save_image(Path(out_file), contact_sheet(tiles, len(tiles) // len(chosen)))


def training_truth(spec: Mapping[str, Any]) -> LabelFile | None:
    """The masks of the training images, if there are any on disk.

    Args:
        spec: ``data_spec`` of a config.
    """
    ann_file = (spec.get('train') or {}).get('ann_file')
    path = Path(spec.get('data_root') or '', ann_file or '')
    return LabelFile.read(path) if ann_file and path.is_file() else None
