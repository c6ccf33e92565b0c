"""Masks that a detector predicted, from the samples that metrics are given."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from pycocotools import mask as coco_mask

from .mask_overlap import RLE


class PredictedInstances(NamedTuple):
    """Predictions of one image.

    Attributes:
        masks: P compressed RLEs.
        labels: ``(P,)`` int64.
        scores: ``(P,)`` float64.
    """

    masks: list[RLE]
    labels: np.ndarray
    scores: np.ndarray


def predicted_instances(
    sample: Mapping[str, Any], image_size: tuple[int, int], num_classes: int
) -> PredictedInstances:
    """Read ``pred_instances`` of a ``DetDataSample``.

    Args:
        sample: Data sample as a dictionary, with ``img_id``.
        image_size: ``(H, W)`` of the image in pixels.
        num_classes: Labels are below it.

    Returns:
        The predictions. ``mask_scores``, where a model has them, are their scores, as
        in MMDetection's own metric.

    Raises:
        ValueError: There are no masks, they have another size than the image, or a
            score or label is not a possible one; the message names the image.
    """
    where = f'predictions of image id {sample.get("img_id")!r}'
    pred = sample.get('pred_instances')
    if pred is None or 'masks' not in pred:
        raise ValueError(
            f'{where}: no pred_instances.masks. This metric is about instance masks; '
            'does the model predict them, and is its mask head part of test_cfg?'
        )
    labels = _numbers(pred['labels']).astype(np.int64)
    scores = _numbers(pred['mask_scores' if 'mask_scores' in pred else 'scores'])
    masks = encode_masks(pred['masks'])
    if not len(masks) == len(labels) == len(scores):
        raise ValueError(
            f'{where}: {len(masks)} masks, {len(labels)} labels and {len(scores)} '
            'scores; expected as many of each.'
        )
    sizes = {tuple(int(v) for v in mask['size']) for mask in masks} - {image_size}
    if sizes:
        raise ValueError(
            f'{where}: a mask has (height, width) {sizes.pop()}, the image '
            f'{image_size}. Predictions must be at the size of the original image '
            '(rescale=True).'
        )
    if not np.isfinite(scores).all():
        raise ValueError(f'{where}: a score is not finite.')
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(
            f'{where}: labels must be 0 to {num_classes - 1}, one a class of the data '
            f'set; got {labels.min()} to {labels.max()}. Does num_classes of the model '
            'fit metainfo?'
        )
    return PredictedInstances(masks, labels, scores.astype(np.float64))


def encode_masks(masks: Any) -> list[RLE]:
    """Run-length encode masks that are not yet.

    Args:
        masks: ``(P, H, W)`` boolean tensor or array, or compressed RLEs.

    Returns:
        P compressed RLEs.
    """
    if isinstance(masks, torch.Tensor):
        masks = masks.detach().cpu().numpy()
    if not isinstance(masks, np.ndarray):
        return list(masks)
    return [coco_mask.encode(_column_major(mask)) for mask in masks]


def _column_major(mask: np.ndarray) -> np.ndarray:
    # OpenCV transposes in blocks, five times as fast as a copy to Fortran's order, and
    # that copy would take three quarters of the time of encoding.
    row_major = np.ascontiguousarray(mask, dtype=bool).view(np.uint8)
    return cv2.transpose(row_major).T


def _numbers(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values)
