"""Masks that a detector predicted, from the samples that metrics are given."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from mmwsis.utils.arrays import to_numpy

from .mask_bits import MaskBits, pack_masks


class PredictedInstances(NamedTuple):
    """Predictions of one image.

    Attributes:
        masks: P masks.
        labels: ``(P,)`` int64.
        scores: ``(P,)`` float64.
    """

    masks: MaskBits
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
    labels = to_numpy(pred['labels']).astype(np.int64)
    scores = to_numpy(pred['mask_scores' if 'mask_scores' in pred else 'scores'])
    masks = pred['masks']
    if not len(masks) == len(labels) == len(scores):
        raise ValueError(
            f'{where}: {len(masks)} masks, {len(labels)} labels and {len(scores)} '
            'scores; expected as many of each.'
        )
    sizes = _sizes(masks) - {image_size}
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
            f'{where}: labels must be 0 to {num_classes - 1}, one per class of the '
            f'dataset; got {labels.min()} to {labels.max()}. Does num_classes of the '
            'model fit metainfo?'
        )
    bits = pack_masks(masks, image_size)
    return PredictedInstances(bits, labels, scores.astype(np.float64))


def _sizes(masks: Any) -> set[tuple[int, int]]:
    """Sizes of the masks, which a model may hand over as one array or as RLEs."""
    if isinstance(masks, (torch.Tensor, np.ndarray)):
        return {tuple(int(side) for side in masks.shape[-2:])} if len(masks) else set()
    return {tuple(int(side) for side in mask['size']) for mask in masks}
