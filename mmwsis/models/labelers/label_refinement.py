"""Labels of a network or of tags, made to agree with tags and boxes."""

from collections.abc import Mapping
from typing import Any

import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import PixelData
from torch import Tensor

from mmwsis.ops import (
    DenseCRF,
    box_instances,
    crop_grid,
    fill_sparse_boxes,
    keep_allowed_labels,
    keep_boxed_labels,
    keep_sure_labels,
    merge_box_map,
    pixel_boxes,
    unary_from_probabilities,
)

IGNORE_INDEX = 255


class LabelRefinement:
    """The ground truth of the next round, from what is predicted and what is known.

    Section 3.4 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018) with the further steps
    of its released code, in this order, each of which a setting switches off:

    1. ``crf``: a dense CRF on the network's probabilities,
    2. ``score_thr``: unsure labels are ignored,
    3. ``tags``: labels that the tags of a crop do not have are ignored,
    4. ``merge``: things come from the box label map alone,
    5. ``box_prior``: no thing outside of the boxes of its class,
    6. ``low_iou``: boxes with too little of their class are filled,
    7. ``instances``: pixels in exactly one box of their class are its instance.

    Fills ``pred_panoptic_seg`` of the sample: ``label + 1000 * instance``, things whose
    instance is not known with instance 0, ``num_things_classes + num_stuff_classes``
    where the label is not known. Labels are 0-based: things first, then stuff.

    A sample with ``gt_panoptic_seg.sem_seg``, the map of a fully labelled image
    (``mmwsis.LoadFullLabels``), keeps that map: semi-supervision.

    Args:
        num_things_classes: Number of things, at least 1.
        num_stuff_classes: Number of classes of stuff, from 0.
        score_thr: Labels with a lower score are ignored, where there are scores.
            Defaults to 0.99; None leaves the step out.
        tags: Check against the tags. Defaults to True.
        image_level: Tags of the whole image (metainfo ``tags``) instead of those of
            crops (metainfo ``crop_tags``). Defaults to False.
        merge: Merge with the box label map (``gt_box_map``). Defaults to True.
        box_prior: Take away things outside of boxes. Defaults to True.
        low_iou: Boxes with a smaller share of their class are filled. Defaults to 0.5;
            None leaves the step out.
        keep_things: Fill no pixel of another thing. Defaults to True.
        full_box: Fill the first row and column of boxes, too. Defaults to False, as the
            released code.
        instances: Tell instances apart. Defaults to True.
        prior_label: 'background' gives pixels of things outside of boxes the one class
            of stuff, as the paper does on VOC. Defaults to None: they are ignored.
        crf: ``kernels`` and ``num_iters`` of the dense CRF on probabilities, such as
            ``dict(kernels='deeplab_v2', num_iters=10)``. Defaults to None: no CRF.

    Raises:
        ValueError: Counts or a ``prior_label`` that make no sense.

    Example:
        >>> from mmengine.structures import InstanceData
        >>> sample = DetDataSample(metainfo=dict(img_id=1))
        >>> boxes = torch.tensor([[0.0, 0, 2, 1]])
        >>> sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0]))
        >>> refine = LabelRefinement(1, 2, tags=False, merge=False)
        >>> image = torch.zeros(3, 1, 4, dtype=torch.uint8)
        >>> refine(image, torch.tensor([[0, 0, 0, 1]]), sample)
        >>> sample.pred_panoptic_seg.sem_seg  # 3 is unknown
        tensor([[[1000, 1000,    3,    1]]], dtype=torch.int32)
    """

    def __init__(
        self,
        num_things_classes: int,
        num_stuff_classes: int,
        score_thr: float | None = 0.99,
        tags: bool = True,
        image_level: bool = False,
        merge: bool = True,
        box_prior: bool = True,
        low_iou: float | None = 0.5,
        keep_things: bool = True,
        full_box: bool = False,
        instances: bool = True,
        prior_label: str | None = None,
        crf: Mapping[str, Any] | None = None,
    ) -> None:
        if num_things_classes < 1 or num_stuff_classes < 0:
            raise ValueError(
                'num_things_classes must be at least 1 and num_stuff_classes at least '
                f'0, got {num_things_classes} and {num_stuff_classes}.'
            )
        if prior_label not in (None, 'background') or (
            prior_label is not None and num_stuff_classes != 1
        ):
            raise ValueError(
                "prior_label must be None, or 'background' where that is the one class "
                f'of stuff; got {prior_label!r} with {num_stuff_classes} of them.'
            )
        self.num_things = num_things_classes
        self.num_classes = num_things_classes + num_stuff_classes
        self.score_thr = score_thr
        self.tags = tags
        self.image_level = image_level
        self.merge = merge
        self.box_prior = box_prior
        self.low_iou = low_iou
        self.fill = dict(keep_things=keep_things, full_box=full_box)
        self.instances = instances
        self.outside = num_things_classes if prior_label else IGNORE_INDEX
        self.crf = None if crf is None else dict(crf)

    @torch.no_grad()
    def __call__(self, image: Tensor, predicted: Tensor, sample: DetDataSample) -> None:
        """Fill ``pred_panoptic_seg`` of an image.

        Args:
            image: uint8 ``(3, H, W)``, RGB, of the original size.
            predicted: ``(H, W)`` integers, labels or 255; or the probabilities of all
                classes, ``(C, H, W)``.
            sample: With the boxes ``gt_instances`` and crowds ``ignored_instances`` in
                pixels of the original image, ``gt_box_map.box_map`` (1, H, W) and the
                metainfo that the steps read.

        Raises:
            ValueError: Something that a step reads is missing or does not fit; the
                message names the image id.
        """
        known = sample.get('gt_panoptic_seg')
        if known is not None and 'sem_seg' in known:
            codes = known.sem_seg
        else:
            labels, scores = self._predicted(image, predicted, sample)
            codes = self._refine(labels, scores, sample)[None]
        sample.pred_panoptic_seg = PixelData(sem_seg=codes)

    def _predicted(
        self, image: Tensor, predicted: Tensor, sample: DetDataSample
    ) -> tuple[Tensor, Tensor | None]:
        """Labels (H, W), and their scores if there are probabilities."""
        size = tuple(image.shape[-2:])
        expected = size if predicted.ndim == 2 else (self.num_classes, *size)
        if predicted.shape != expected:
            raise ValueError(
                f'{_place(sample)}: predicted has shape {tuple(predicted.shape)}, '
                f'expected {expected} for the image of {size}.'
            )
        if predicted.ndim == 2:
            return predicted, None
        if self.crf is not None:
            settings = {**self.crf}
            num_iters = settings.pop('num_iters', 10)
            crf = DenseCRF(image.permute(1, 2, 0), **settings)
            predicted = crf.marginals(unary_from_probabilities(predicted), num_iters)
        scores, labels = predicted.max(0)
        return labels, scores

    def _refine(
        self, labels: Tensor, scores: Tensor | None, sample: DetDataSample
    ) -> Tensor:
        """Codes (H, W) of the labels after all steps."""
        labels = labels.to(torch.int16)
        is_thing = torch.arange(self.num_classes, device=labels.device)
        is_thing = is_thing < self.num_things
        if scores is not None and self.score_thr is not None:
            labels = keep_sure_labels(labels, scores, self.score_thr)
        if self.tags:
            labels = keep_allowed_labels(labels, *self._allowed(labels, sample))
        if self.merge:
            labels = merge_box_map(labels, _box_map(labels, sample), is_thing)
        if not self.box_prior and self.low_iou is None and not self.instances:
            return self._codes(labels, torch.zeros_like(labels))
        boxes, box_labels, is_crowd = _boxes(labels, sample)
        if self.box_prior:
            labels = keep_boxed_labels(
                labels, boxes, box_labels, is_thing, self.outside
            )
        if self.low_iou is not None:
            labels = fill_sparse_boxes(
                *(labels, boxes, box_labels, is_crowd, is_thing, self.low_iou),
                **self.fill,
            )
        if not self.instances:
            return self._codes(labels, torch.zeros_like(labels))
        found = box_instances(labels, boxes, box_labels, is_crowd)
        return self._codes(labels, found.instance_map)

    def _allowed(self, labels: Tensor, sample: DetDataSample) -> tuple[Tensor, Tensor]:
        """Which classes each crop may have, (N, C), and the crops (N, 4)."""
        size = tuple(labels.shape)
        if self.image_level:
            tags, crop_size = [_meta(sample, 'tags')], size
        else:
            given = _meta(sample, 'crop_tags')
            tags, crop_size = given['tags'], tuple(given['size'])
        try:
            crops = crop_grid(size, crop_size)
        except ValueError as error:
            raise ValueError(f'{_place(sample)}: crop_tags: {error}') from None
        if len(crops) != len(tags):
            raise ValueError(
                f'{_place(sample)}: crop_tags has {len(tags)} crops of {crop_size}, '
                f'but an image of {size} has {len(crops)}. Make them anew from the '
                'images as they are.'
            )
        allowed = torch.zeros(
            len(crops), self.num_classes, dtype=torch.bool, device=labels.device
        )
        for row, own in zip(allowed, tags):
            row[list(own)] = True
        return allowed, crops

    def _codes(self, labels: Tensor, instances: Tensor) -> Tensor:
        codes = labels + INSTANCE_OFFSET * instances.clamp(min=0).int()
        return codes.masked_fill_(labels == IGNORE_INDEX, self.num_classes)


def _place(sample: DetDataSample) -> str:
    return f'image id {sample.get("img_id")!r}'


def _meta(sample: DetDataSample, key: str) -> Any:
    value = sample.get(key)
    if value is None:
        raise ValueError(
            f'{_place(sample)} has no {key}. Labels with them are made by '
            'tools/dataset_converters/coco2weak.py, the tags of crops by its '
            '--crop-tags; image_level=True reads those of the image, tags=False leaves '
            'the check out.'
        )
    return value


def _box_map(labels: Tensor, sample: DetDataSample) -> Tensor:
    found = sample.get('gt_box_map')
    if found is None:
        raise ValueError(
            f'{_place(sample)} has no gt_box_map; load it with mmwsis.LoadBoxLabelMap, '
            'or set merge=False.'
        )
    if found.box_map.shape[-2:] != labels.shape:
        raise ValueError(
            f'{_place(sample)}: the box label map is '
            f'{tuple(found.box_map.shape[-2:])}, the labels are {tuple(labels.shape)}.'
        )
    return found.box_map[0].to(labels.device)


def _boxes(labels: Tensor, sample: DetDataSample) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (N, 4) in whole pixels, crowds first, their labels, and which are crowds.

    Crowds come first because a box that repeats an earlier one of its class is left
    out, as in the released code.
    """
    parts = [sample.get('ignored_instances'), sample.get('gt_instances')]
    parts = [part for part in parts if part is not None]
    if not parts or any('bboxes' not in part for part in parts):
        raise ValueError(
            f'{_place(sample)} has no boxes; load them with '
            'mmwsis.LoadWeakAnnotations(with_bbox=True), or set box_prior=False, '
            'low_iou=None and instances=False.'
        )
    boxes = torch.cat([get_box_tensor(part.bboxes).cpu() for part in parts])
    box_labels = torch.cat([part.labels.cpu() for part in parts])
    is_crowd = torch.zeros(len(boxes), dtype=torch.bool)
    is_crowd[: len(boxes) - len(parts[-1])] = True
    pixels = torch.from_numpy(pixel_boxes(boxes.numpy(), tuple(labels.shape)))
    empty = (pixels[:, :2] >= pixels[:, 2:]).any(1)
    if empty.any():
        row = int(empty.nonzero()[0])
        ids = [key for part in parts for key in part.get('ann_ids', [None] * len(part))]
        raise ValueError(
            f'{_place(sample)}, annotation id {_plain(ids[row])!r}: the box '
            f'{boxes[row].tolist()} (x1, y1, x2, y2) has no pixel in the image of '
            f'{tuple(labels.shape)} (height, width). Correct or remove it.'
        )
    device = labels.device
    return pixels.to(device), box_labels.to(device), is_crowd.to(device)


def _plain(key: Any) -> Any:
    return key.item() if isinstance(key, Tensor) else key
