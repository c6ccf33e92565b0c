"""From classifiers and images to figures of their instance cues, side by side."""

import copy
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch import nn

from mmwsis.models.layers import PeakAttention

from .coco_files import read_image, tagged_indices
from .maps import draw_dots, draw_heat
from .palette import distinct_color
from .relation_figure import training_truth, truth_tile
from .sheet import Tile, contact_sheet, save_image


def without_peak_attention(model: nn.Module) -> nn.Module | None:
    """Copy a classifier, with a ReLU in place of each peak attention.

    Args:
        model: The classifier.

    Returns:
        The copy, of the same weights; None where there is no peak attention.
    """
    model = copy.deepcopy(model)
    layers = [layer for layer in model.modules() if isinstance(layer, PeakAttention)]
    for layer in layers:
        layer.alpha = 0.0
    return model if layers else None


@torch.no_grad()
def cue_tile(model: Any, data: Mapping[str, Any], rgb: np.ndarray, name: str) -> Tile:
    """Draw the strongest of an image's class maps, and the cues of all its classes.

    Args:
        model: Classifier in evaluation mode.
        data: A batch of one image, before the data preprocessor.
        rgb: RGB ``(H, W, 3)``, uint8.
        name: Of the classifier.
    """
    (sample,) = model.test_step(copy.deepcopy(data))
    maps, cues = sample.pred_class_maps.high_res, sample.pred_points
    drawn = draw_heat(rgb, maps.amax(0).cpu().numpy())
    colors = [distinct_color(label) for label in cues.labels.tolist()]
    drawn = draw_dots(drawn, rgb, cues.points.cpu().numpy(), colors)
    count = len(colors)
    return Tile(drawn, f'{name}, {count} cue{"" if count == 1 else "s"}')


def draw_cues(
    labeler: Any,
    out_file: str | os.PathLike,
    plain: Any = None,
    num: int = 4,
) -> Path:
    """Draw the cues of a classifier beside those of plain CAMs, on training images.

    Args:
        labeler: ``mmwsis.apis.LabelInferencer`` of the classifier.
        out_file: Image file to write.
        plain: That of the classifier to compare with. Defaults to None: the same one
            without its peak attention.
        num: Number of images, spread over those with tags. Defaults to 4.

    Returns:
        ``out_file``.

    Raises:
        TypeError: The config's model finds no cues.
        ValueError: No image has a tag.
    """
    model, dataset = labeler.model, labeler.dataset()
    if 'points' not in getattr(model, 'artifacts', ()):
        raise TypeError(
            f'{type(model).__name__} finds no cues; a classifier does '
            '(mmwsis.CAMClassifier).'
        )
    models = {'classifier': model}
    if plain is not None:
        models = {'plain CAM': plain.model, 'peak attention': model}
    elif other := without_peak_attention(model):
        models = {'without peak attention': other, 'with it, same weights': model}
    chosen = tagged_indices(dataset, num)
    truth, tiles = training_truth(labeler.cfg.get('data_spec') or {}), []
    for index in chosen:
        data = pseudo_collate([dataset[index]])
        (sample,) = data['data_samples']
        rgb = read_image(sample.img_path)
        own = [cue_tile(one, data, rgb, name) for name, one in models.items()]
        caption = f'image {sample.img_id}: {own[0].caption}'
        own[0] = replace(own[0], caption=caption)
        tiles += own
        if truth is not None:
            tiles.append(truth_tile(truth, sample.img_id, rgb))
    return save_image(Path(out_file), contact_sheet(tiles, len(tiles) // len(chosen)))
