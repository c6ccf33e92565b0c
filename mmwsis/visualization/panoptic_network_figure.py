"""How WeakPanoptic comes from an image and detections to its segments."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.utils.arrays import to_numpy

from .canvas import Canvas
from .coco_files import read_image, spread
from .evaluated import evaluated
from .maps import draw_numbers
from .palette import distinct_color
from .panoptic_figure import draw_panoptic
from .samples import class_name
from .sheet import Tile, contact_sheet, save_image


def detection_tile(
    image: np.ndarray, detections: Any, classes: Sequence[str], caption: str = ''
) -> Tile:
    """What was detected, in the colours of the classes.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        detections: ``InstanceData`` of ``bboxes`` in pixels of the image, ``labels``
            and ``scores``.
        classes: Class names.
        caption: Text before the caption.
    """
    canvas = Canvas(image)
    fields = [to_numpy(detections.get(key)) for key in ('bboxes', 'labels', 'scores')]
    for box, label, _ in zip(*fields):
        canvas.box(box, distinct_color(int(label)))
    for box, label, score in zip(*fields):
        name = f'{class_name(int(label), classes)} {float(score):.2f}'
        canvas.text(box[0], box[1] + 1, name, distinct_color(int(label)))
    return Tile(canvas.image, f'{caption}detections: {len(fields[0])}')


def network_tiles(
    image: np.ndarray,
    sample: Any,
    semantics: np.ndarray,
    classes: Sequence[str],
    truth: Tile | None = None,
) -> list[Tile]:
    """Detections, semantic map, segments, and the truth; a class has one colour.

    As Fig. 7 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li, Arnab and Torr, ECCV 2018). Without an
    instance sub-network there are the semantic map and the truth.

    Args:
        image: RGB ``(H, W, 3)``, uint8, the original one.
        sample: With an instance sub-network, ``detections`` in the image's pixels and
            the predicted segments.
        semantics: ``(H, W)`` labels of the semantic network.
        classes: Class names, things before stuff.
        truth: Last tile. Defaults to None: it is not known.
    """
    name = f'image {sample.get("img_id")}: '
    drawn = draw_numbers(image, semantics, None, alpha=0.7)
    if 'pred_panoptic_seg' in sample:
        tiles = [
            detection_tile(image, sample.detections, classes, name),
            Tile(drawn, 'semantic network'),
            _segments_tile(image, sample, classes),
        ]
    else:
        tiles = [Tile(drawn, f'{name}semantic network')]
    return tiles if truth is None else [*tiles, truth]


def _segments_tile(image: np.ndarray, sample: Any, classes: Sequence[str]) -> Tile:
    codes = to_numpy(sample.pred_panoptic_seg.sem_seg)[0]
    segments = [
        dict(id=int(code), category_id=int(code) % INSTANCE_OFFSET)
        for code in to_numpy(sample.pred_segments.codes)
    ]
    labels = {label: label for label in range(len(classes))}
    drawn = draw_panoptic(image, codes, segments, labels)
    return Tile(drawn, f'segments: {len(segments)}')


def batch_tiles(
    model: Any,
    data_batch: Mapping[str, Any],
    classes: Sequence[str],
    truth: PanopticFile | None = None,
) -> list[list[Tile]]:
    """Run WeakPanoptic on a batch, for drawing; whatever it is doing stays as it is.

    Args:
        model: ``mmwsis.WeakPanoptic``.
        data_batch: As the data loader gives it; with detections if the model has an
            ``instance_head``.
        classes: Class names, things before stuff.
        truth: Segments of the images. Defaults to None: they are not known.

    Returns:
        :func:`network_tiles` of each image.

    Raises:
        TypeError: The model is another one.
    """
    if not hasattr(model, 'semantic_probs'):
        raise TypeError(
            f'{type(model).__name__} has no semantic network; mmwsis.WeakPanoptic has.'
        )
    rows = []
    with evaluated(model, data_batch) as data:
        for index, sample in enumerate(data['data_samples']):
            image = read_image(sample.img_path)
            semantics = _predict(model, data['inputs'][index], sample)
            known = truth and _truth_tile(truth, sample.img_id, image, classes)
            rows.append(network_tiles(image, sample, semantics, classes, known))
    return rows


def _predict(model: Any, inputs: Tensor, sample: Any) -> np.ndarray:
    """Labels of the semantic network; segments and detections go into the sample."""
    height, width = sample.img_shape[:2]
    shape = sample.ori_shape[:2]
    probs = model.semantic_probs(inputs[:, :height, :width], sample, shape)
    if model.instance_head is not None:
        model.predict(inputs[None], [sample])
        scale = np.divide(shape[::-1], (width, height))
        sample.detections.bboxes *= torch.as_tensor(np.tile(scale, 2)).to(inputs)
    return to_numpy(probs.argmax(0))


def draw_network(
    labeler: Any,
    out_file: str | os.PathLike,
    num: int = 4,
) -> Path:
    """Draw what WeakPanoptic makes of images that it is tested on.

    Args:
        labeler: ``mmwsis.apis.LabelInferencer`` of the network.
        out_file: Image file to write.
        num: Number of images, spread over the dataset. Defaults to 4.

    Returns:
        ``out_file``.

    Raises:
        TypeError: The config's model is another one.
    """
    model, dataset = labeler.model, labeler.dataset('test_dataloader')
    classes = dataset.metainfo['classes']
    truth = true_segments(labeler.cfg.get('test_evaluator'))
    rows = []
    for index in spread(range(len(dataset)), num):
        rows += batch_tiles(model, pseudo_collate([dataset[index]]), classes, truth)
    tiles = [tile for row in rows for tile in row]
    legend = [(name, distinct_color(label)) for label, name in enumerate(classes)]
    sheet = contact_sheet(tiles, len(rows[0]), '', legend)
    return save_image(Path(out_file), sheet)


def true_segments(evaluators: Any) -> PanopticFile | None:
    """The panoptic file that evaluators compare with, if one does.

    Args:
        evaluators: ``val_evaluator`` or ``test_evaluator`` of a config.
    """
    evaluators = [evaluators] if isinstance(evaluators, dict) else evaluators or []
    for one in evaluators:
        if 'seg_prefix' in one:
            return PanopticFile(one['ann_file'], one['seg_prefix'])
    return None


def _truth_tile(
    truth: PanopticFile, image_id: Any, image: np.ndarray, classes: Sequence[str]
) -> Tile:
    segments = truth.segments(image_id)
    labels = {
        key: classes.index(category['name'])
        for key, category in truth.categories.items()
        if category['name'] in classes
    }
    known = [one for one in segments if one['category_id'] in labels]
    drawn = draw_panoptic(image, truth.segment_map(image_id), known, labels)
    return Tile(drawn, f'truth: {len(known)}')
