"""Fields of a predicted sample, as MMDetection's metrics and visualizers read them."""

import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.structures.mask import mask2bbox
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from torch import Tensor

from mmwsis.ops.interior_points import interior_point


def fill_instances(
    sample: BaseDataElement,
    labels: Tensor,
    scores: Tensor,
    masks: Tensor,
    known: Tensor | None = None,
) -> None:
    """Give a sample its ``pred_instances``, with the tight boxes of the masks.

    Args:
        sample: With the metainfo ``ori_shape``.
        labels: ``(N,)`` integers.
        scores: ``(N,)`` in [0, 1].
        masks: ``(N, *ori_shape)`` bool.
        known: ``(N,)`` int64, which of the sample's ``gt_instances`` each one is the
            mask of; it gets its ``ann_ids``. Defaults to None: nobody knows.

    Raises:
        ValueError: Masks of another size than the original image, or not as many as
            labels and scores.

    Example:
        >>> import torch
        >>> from mmdet.structures import DetDataSample
        >>> sample = DetDataSample(metainfo=dict(ori_shape=(4, 6)))
        >>> masks = torch.zeros(1, 4, 6, dtype=torch.bool)
        >>> masks[0, 1:3, 2:5] = True
        >>> fill_instances(sample, torch.tensor([0]), torch.tensor([0.5]), masks)
        >>> sample.pred_instances.bboxes
        tensor([[2., 1., 5., 3.]])
    """
    expected = (len(labels), *sample.ori_shape[:2])
    if masks.shape != expected or len(scores) != len(labels):
        raise ValueError(
            f'image id {sample.get("img_id")!r}: expected masks of shape {expected} '
            f'(labels, original height and width) and as many scores; got masks '
            f'{tuple(masks.shape)}, {len(scores)} scores.'
        )
    sample.pred_instances = InstanceData(
        labels=labels, scores=scores, masks=masks, bboxes=mask2bbox(masks)
    )
    if known is not None and 'ann_ids' in sample.gt_instances:
        sample.pred_instances.ann_ids = sample.gt_instances.ann_ids[known.cpu().numpy()]


def fill_points(
    sample: BaseDataElement, labels: Tensor, scores: Tensor, masks: Tensor
) -> None:
    """Give a sample its ``pred_points``: one point well inside of each instance.

    Args:
        sample: Receives them.
        labels: ``(N,)`` integers.
        scores: ``(N,)`` in [0, 1].
        masks: ``(N, *ori_shape)`` bool, none empty.

    Raises:
        ValueError: An empty mask.

    Example:
        >>> import torch
        >>> from mmdet.structures import DetDataSample
        >>> sample = DetDataSample()
        >>> masks = torch.zeros(1, 5, 7, dtype=torch.bool)
        >>> masks[0, 1:4, 2:5] = True
        >>> fill_points(sample, torch.tensor([0]), torch.tensor([0.5]), masks)
        >>> sample.pred_points.points
        tensor([[3., 2.]])
    """
    points = [interior_point(mask) for mask in masks.cpu().numpy()]
    points = scores.new_tensor(points).view(-1, 2)
    sample.pred_points = InstanceData(labels=labels, scores=scores, points=points)


def fill_panoptic(
    sample: BaseDataElement,
    segments: Tensor,
    labels: Tensor,
    num_things: int,
    num_classes: int,
    scores: Tensor | None = None,
) -> None:
    """Give a sample its ``pred_panoptic_seg`` in MMDetection's codes.

    A pixel of segment k holds its label, for a thing plus 1000 times k + 1; pixels of
    no segment hold ``num_classes``.

    Args:
        sample: With the metainfo ``ori_shape``.
        segments: ``ori_shape``, integers: the segment k of every pixel, below 0 for
            none.
        labels: ``(K,)`` class of every segment: things first, then stuff.
        num_things: Labels below it are things.
        num_classes: Number of things and stuff.
        scores: ``(K,)`` in [0, 1], for ``pred_segments``. Defaults to None: without.

    Raises:
        ValueError: The map has another size than the original image.

    Example:
        >>> import torch
        >>> from mmdet.structures import DetDataSample
        >>> sample = DetDataSample(metainfo=dict(ori_shape=(1, 4)))
        >>> segments = torch.tensor([[0, 1, 2, -1]])
        >>> fill_panoptic(sample, segments, torch.tensor([1, 1, 2]), 2, 3)
        >>> sample.pred_panoptic_seg.sem_seg
        tensor([[[1001, 2001,    2,    3]]])
    """
    size = tuple(sample.ori_shape[:2])
    if tuple(segments.shape) != size:
        raise ValueError(
            f'image id {sample.get("img_id")!r}: the panoptic map is '
            f'{tuple(segments.shape)}, the original image {size} (height, width).'
        )
    instances = torch.arange(1, len(labels) + 1, device=labels.device)
    codes = labels.long() + INSTANCE_OFFSET * instances * (labels < num_things)
    if scores is not None:
        sample.pred_segments = InstanceData(codes=codes, scores=scores)
    # The last code is that of no segment, which index -1 finds.
    codes = torch.cat([codes, codes.new_full((1,), num_classes)])
    sample.pred_panoptic_seg = PixelData(
        sem_seg=codes[segments.long().clamp(min=-1)][None]
    )
