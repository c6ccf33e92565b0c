"""What WISE's mask sources read of a sample, at the size of the original image."""

from dataclasses import replace

import numpy as np
import torch
from mmdet.structures import DetDataSample
from torch import Tensor

from mmwsis.models.original_size import points_at_original_size
from mmwsis.ops import Peaks
from mmwsis.ops.interior_points import interior_point
from mmwsis.structures.proposals import Proposals

from .wise_masks import KnownObjects


def original_proposals(sample: DetDataSample, source: str) -> Proposals:
    """Proposals of the image as it was before it was resized.

    Args:
        sample: With ``mask_proposals`` and the metainfo ``ori_shape``.
        source: The mask source, named in messages.

    Raises:
        ValueError: There are none, or those of another image size.
    """
    proposals, size = sample.get('mask_proposals'), tuple(sample.ori_shape[:2])
    if proposals is None:
        raise ValueError(
            f'{_place(sample)} has no mask proposals, which '
            f'model.test_cfg.mask_source={source!r} chooses from. Load them in the '
            'pipeline (mmwsis.LoadProposals, docs/proposals.md).'
        )
    if proposals.source_size != size:
        raise ValueError(
            f'{_place(sample)}: the proposals are of an image of '
            f'{proposals.source_size}, the original image is {size} (height, width). '
            'Load them before the image is resized.'
        )
    return replace(proposals, grid=None)


def known_objects(sample: DetDataSample, source: str) -> KnownObjects:
    """Masks of the ground truth, for the rows that are upper bounds.

    Args:
        sample: Of a dataset with ``supervision='masks'``, with ``gt_instances``.
        source: The mask source, named in messages.

    Returns:
        Objects in the order of their ids; crowds are none.

    Raises:
        ValueError: There is no ground truth, or of another image size.
    """
    objects, size = sample.get('gt_instances', ()), tuple(sample.ori_shape[:2])
    # Elsewhere (DetInferencer) an image without labels looks like one without objects.
    if sample.get('supervision') != 'masks' or 'masks' not in objects:
        raise ValueError(
            f'{_place(sample)} has no ground truth, without which '
            f'model.test_cfg.mask_source={source!r} finds nothing: it is an upper '
            "bound, not a prediction. Use a dataset with supervision='masks' and "
            'mmwsis.LoadWeakAnnotations(with_mask=True), or set '
            "model.test_cfg.mask_source='wise'."
        )
    order = np.arange(len(objects.labels))
    if isinstance(objects.get('ann_ids'), Tensor):
        order = np.argsort(objects.ann_ids.cpu().numpy(), kind='stable')
    masks = objects.masks.to_ndarray().astype(bool)
    if masks.shape[1:] != size:
        raise ValueError(
            f'{_place(sample)}: the masks of the ground truth are of an image of '
            f'{masks.shape[1:]}, the original image is {size} (height, width). Load '
            'them after the image was resized, as MMDetection does.'
        )
    return KnownObjects(objects.labels.cpu().numpy()[order], masks[order])


def known_points(
    sample: DetDataSample, source: str, device: torch.device, option: str
) -> Peaks:
    """Points that need not be found: clicks, or those of an earlier stage.

    Args:
        sample: With ``gt_instances``: ``points``, ``labels`` and, of found ones,
            ``scores``. For 'gt_points' masks do, too: of each the pixel farthest from
            its outside, as points are derived from masks.
        source: The mask source, named in messages.
        device: Of the result.
        option: What to set if there are none, named in messages.

    Returns:
        Pixels; clicks have the score 1.

    Raises:
        ValueError: There are none.
    """
    objects = sample.get('gt_instances', ())
    # Elsewhere (DetInferencer) an image without labels looks like one without objects.
    labelled = sample.get('supervision') is not None
    found = source == 'prm'  # a network's points have scores
    if labelled and 'points' in objects and (not found or 'scores' in objects):
        labels, points = objects.labels, objects.points
        points = (points_at_original_size(points, sample) + 0.5).floor().long()
        scores = objects.get('scores', torch.ones(len(labels)))
    elif labelled and source == 'gt_points' and 'masks' in objects:
        labels, masks = known_objects(sample, source)
        labels, masks = labels[masks.any((1, 2))], masks[masks.any((1, 2))]
        points = torch.tensor([interior_point(mask) for mask in masks]).view(-1, 2)
        labels, scores = torch.from_numpy(labels), torch.ones(len(labels))
    else:
        load = 'mmwsis.LoadCues' if found else 'mmwsis.LoadWeakAnnotations'
        raise ValueError(
            f'{_place(sample)} has no points, which model.test_cfg.mask_source='
            f'{source!r} makes masks for. Load them in the pipeline ({load}), or set '
            f'{option}.'
        )
    return Peaks(*(entry.to(device) for entry in (labels, points.long(), scores)))


def _place(sample: DetDataSample) -> str:
    return f'image id {sample.get("img_id")!r}'
