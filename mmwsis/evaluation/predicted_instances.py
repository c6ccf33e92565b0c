"""Masks that a detector predicted, from the samples that metrics are given."""

from collections.abc import Mapping, Sequence
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
    check_instances(sample, image_size, num_classes, ('masks',))
    pred = sample['pred_instances']
    scores = to_numpy(pred['mask_scores' if 'mask_scores' in pred else 'scores'])
    return PredictedInstances(
        pack_masks(pred['masks'], image_size),
        to_numpy(pred['labels']).astype(np.int64),
        scores.astype(np.float64),
    )


def check_instances(
    sample: Mapping[str, Any],
    image_size: tuple[int, int],
    num_classes: int,
    needed: Sequence[str],
) -> None:
    """Refuse ``pred_instances`` that cannot be judged.

    Args:
        sample: Data sample as a dictionary, with ``img_id``.
        image_size: ``(H, W)`` of the image in pixels.
        num_classes: Labels are below it.
        needed: What must be there besides labels and scores: 'masks', 'bboxes'.

    Raises:
        ValueError: Something is missing or not as many as the rest, masks have another
            size than the image, or a score, box or label is not a possible one; the
            message names the image.
    """
    where = f'predictions of image id {sample.get("img_id")!r}'
    pred = sample.get('pred_instances')
    for key in (*needed, 'labels', 'scores'):
        if pred is None or key not in pred:
            raise ValueError(
                f'{where}: no pred_instances.{key}. This metric is about instance '
                f'{"masks" if "masks" in needed else "boxes"}; does the model predict '
                'them, and is its mask head part of test_cfg?'
            )
    labels = to_numpy(pred['labels'])
    masks = pred.get('masks') if 'masks' in needed else None
    columns = (*needed, 'labels', 'scores', 'mask_scores')
    counts = {key: len(pred[key]) for key in columns if key in pred}
    if len(set(counts.values())) > 1:
        *first, last = (f'{number} {key}' for key, number in counts.items())
        raise ValueError(
            f'{where}: {", ".join(first)} and {last}; expected as many of each.'
        )
    sizes = set() if masks is None else _sizes(masks) - {tuple(image_size)}
    if sizes:
        raise ValueError(
            f'{where}: a mask has (height, width) {sizes.pop()}, the image '
            f'{tuple(image_size)}. Predictions must be at the size of the original '
            'image (rescale=True).'
        )
    for key in ('scores', 'mask_scores', 'bboxes'):
        if key in pred and not np.isfinite(to_numpy(pred[key])).all():
            raise ValueError(
                f'{where}: pred_instances.{key} holds a value that is not finite.'
            )
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(
            f'{where}: labels must be 0 to {num_classes - 1}, one per class of the '
            f'dataset; got {labels.min()} to {labels.max()}. Does num_classes of the '
            'model fit metainfo?'
        )


def _sizes(masks: Any) -> set[tuple[int, int]]:
    """Sizes of the masks, which a model may hand over as one array or as RLEs."""
    if isinstance(masks, (torch.Tensor, np.ndarray)):
        return {tuple(int(side) for side in masks.shape[-2:])} if len(masks) else set()
    return {tuple(int(side) for side in mask['size']) for mask in masks}
