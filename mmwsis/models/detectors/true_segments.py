"""The true segments of a sample, things and stuff."""

from typing import NamedTuple

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

IGNORED = -1


class TrueSegments(NamedTuple):
    """What a panoptic label file says of an image.

    Attributes:
        segments: (H, W) int64, the segment of every pixel, in [0, G), or -1.
        labels: (G,) int64, the classes of the segments.
    """

    segments: Tensor
    labels: Tensor


def true_segments(
    sample: BaseDataElement, num_things: int, num_classes: int, size: tuple[int, int]
) -> TrueSegments:
    """Number the segments of a sample.

    Every stuff class that is present is one. Pixels of things that are in no instance
    (crowds, or objects that nothing tells apart) belong to none.

    Args:
        sample: With ``gt_sem_seg.sem_seg`` (1, H, W), labels, 255 for unknown; and what
            tells things apart: ``gt_panoptic_seg.instance_map`` (1, H, W), from 1, of
            ``mmwsis.LoadPanopticMap``, or ``gt_instances.masks`` of
            ``mmwsis.LoadPanopticAnnotations``. Batches may have padded them.
        num_things: Labels below it are things.
        num_classes: Number of things and stuff.
        size: (H, W) of the image.

    Returns:
        On the device of ``gt_sem_seg``.

    Raises:
        ValueError: Something is missing or smaller than the image, which the message
            names.
    """
    if 'gt_sem_seg' not in sample:
        raise ValueError(
            f'image id {sample.get("img_id")!r} has no gt_sem_seg: load its panoptic '
            'labels by mmwsis.LoadPanopticMap or mmwsis.LoadPanopticAnnotations.'
        )
    labels = sample.gt_sem_seg.sem_seg[0].long()
    numbers = _instance_numbers(sample, labels.device)
    for name, found in (('gt_sem_seg', labels), ('the instances', numbers)):
        if found.shape[0] < size[0] or found.shape[1] < size[1]:
            raise ValueError(
                f'image id {sample.get("img_id")!r}: {name} cover '
                f'{tuple(found.shape)}, the image is {tuple(size)} (height, width).'
            )
    height, width = size
    labels, numbers = labels[:height, :width], numbers[:height, :width]
    is_thing = (labels < num_things) & (numbers > 0)
    is_stuff = (labels >= num_things) & (labels < num_classes)
    codes = torch.where(is_thing, num_classes + numbers, IGNORED)
    codes = torch.where(is_stuff, labels, codes)
    known = codes >= 0
    values, rows = codes[known].unique(return_inverse=True)
    segments = torch.full_like(labels, IGNORED)
    segments[known] = rows
    classes = labels.new_zeros(len(values))
    classes[rows] = labels[known]  # all pixels of a segment have one label
    return TrueSegments(segments, classes)


def _instance_numbers(sample: BaseDataElement, device: torch.device) -> Tensor:
    """(H, W) int64: instances of things from 1; of stuff anything."""
    if 'instance_map' in sample.get('gt_panoptic_seg', ()):
        return sample.gt_panoptic_seg.instance_map[0].to(device).long()
    masks = sample.get('gt_instances', {}).get('masks')
    if masks is None:
        raise ValueError(
            f'image id {sample.get("img_id")!r} has neither an instance map nor masks: '
            'load its panoptic labels by mmwsis.LoadPanopticMap or '
            'mmwsis.LoadPanopticAnnotations.'
        )
    if not isinstance(masks, Tensor):
        masks = masks.to_tensor(torch.bool, device)
    if not len(masks):
        return torch.zeros_like(sample.gt_sem_seg.sem_seg[0], dtype=torch.int64)
    order = torch.arange(1, len(masks) + 1, device=device)[:, None, None]
    return (masks.to(device).bool() * order).amax(0)
