"""Masks of boxed objects from GrabCut and mask proposals (weak panoptic)."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor

from mmwsis.formats.image_file import image_place
from mmwsis.ops import (
    BoxLabels,
    box_agreement,
    box_label_map,
    grab_cut,
    match_boxes_to_proposals,
    pixel_boxes,
)
from mmwsis.ops.box_labels import IGNORE_INDEX
from mmwsis.registry import MODELS

from .weight_free_labeler import WeightFreeLabeler

_NO_THING = -1


@MODELS.register_module()
class GrabCutProposals(WeightFreeLabeler):
    """Label maps of boxed things, where GrabCut and a mask proposal agree.

    `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018), section 3.2: see
    :func:`mmwsis.ops.grab_cut`, :func:`mmwsis.ops.match_boxes_to_proposals`,
    :func:`mmwsis.ops.box_agreement` and :func:`mmwsis.ops.box_label_map`. Crowds are
    not painted.

    The data pipeline is ``LoadCachedImage``, ``LoadWeakAnnotations(with_bbox=True,
    with_point=False)``, ``LoadProposals``, ``PackWeakInputs``; without
    ``LoadProposals`` no box has a proposal.

    As 'semantic_maps', of a dataset that is declared with its things alone, 0 is the
    background, ``k + 1`` thing ``k``, and 255 unknown. As 'panoptic_maps' pixels of
    things whose instance is unknown are a crowd of their class, unknown ones void; a
    fully labelled image (``gt_panoptic_seg``, ``mmwsis.LoadFullLabels``) keeps its map.

    Args:
        num_things_classes: Labels below it are things.
        num_stuff_classes: Labels of the dataset that follow. Defaults to 0.
        test_cfg: ``num_iters`` of GrabCut, 5; ``grabcut_context``, how many widths and
            heights of the box around it GrabCut sees, None: the whole image;
            ``overlap`` of boxes and proposals, 'box' or 'mask';
            ``background``, whether in panoptic maps pixels of no thing are the stuff of
            a dataset that has one class of it (PASCAL VOC), True, or void.
            Defaults to None.
        data_preprocessor: See the base class. Defaults to None.

    Raises:
        ValueError: An unknown key in ``test_cfg``.

    Example:
        >>> from mmengine.structures import InstanceData
        >>> image = torch.zeros(3, 30, 40, dtype=torch.uint8)
        >>> image[0, 10:20, 10:20] = 220  # an object
        >>> boxes = torch.tensor([[7.0, 6.0, 25.0, 24.0]])
        >>> sample = BaseDataElement(gt_instances=InstanceData(
        ...     bboxes=boxes, labels=torch.tensor([1]), ann_ids=torch.tensor([7])))
        >>> (labelled,) = GrabCutProposals(num_things_classes=2)([image], [sample])
        >>> labelled.pred_sem_seg.sem_seg[0, 14, ::4]
        tensor([  0,   0,   0,   2,   2, 255,   0,   0,   0,   0], dtype=torch.int32)
    """

    artifacts: ClassVar[tuple[str, ...]] = ('semantic_maps', 'panoptic_maps')
    cpu_only: ClassVar[bool] = True
    report_picture: ClassVar[dict[str, str]] = dict(
        title='GrabCut, proposals and where they agree',
        tool='tools/analysis_tools/show_box_labels.py',
    )
    test_defaults: ClassVar[dict[str, Any]] = dict(
        num_iters=5, grabcut_context=None, overlap='box', background=True
    )

    def __init__(
        self,
        num_things_classes: int,
        num_stuff_classes: int = 0,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(test_cfg, data_preprocessor)
        self.num_things_classes = num_things_classes
        self.num_classes = num_things_classes + num_stuff_classes

    def label(self, image: Tensor, sample: BaseDataElement) -> None:
        """Fill ``pred_sem_seg`` or ``pred_panoptic_seg``; see the base class.

        Args:
            image: uint8 ``(3, H, W)``, RGB.
            sample: With ``gt_instances``: ``bboxes``, ``labels``, ``ann_ids``; and
                ``mask_proposals``.

        Raises:
            ValueError: A box without a pixel in the image, or of stuff; proposals of
                an image of another size.
        """
        known = sample.get('gt_panoptic_seg')
        if self.artifact == 'panoptic_maps' and known is not None:
            sample.pred_panoptic_seg = PixelData(sem_seg=known.sem_seg)
            return
        found = self.label_boxes(image, sample)
        if self.artifact == 'panoptic_maps':
            codes = self._panoptic_codes(found)
            sample.pred_panoptic_seg = PixelData(sem_seg=torch.from_numpy(codes[None]))
            return
        unknown = found.semantic == IGNORE_INDEX
        values = np.where(unknown, IGNORE_INDEX, found.semantic + 1)
        sample.pred_sem_seg = PixelData(
            sem_seg=torch.from_numpy(values[None].astype(np.int32))
        )

    def label_boxes(self, image: Tensor, sample: BaseDataElement) -> BoxLabels:
        """Label the pixels of an image by its boxes.

        Args:
            image: See :meth:`label`.
            sample: See :meth:`label`.

        Returns:
            Semantic map with the labels of the dataset, -1 where no thing is, 255 where
            nothing is known; and the instances.
        """
        boxes, labels = self.boxes(image, sample)
        agreements = [
            box_agreement(mask, proposal, box)
            for box, (mask, proposal) in zip(boxes, self.masks(image, sample, boxes))
        ]
        size = tuple(image.shape[-2:])
        return box_label_map(boxes, labels, agreements, size, _NO_THING, IGNORE_INDEX)

    def boxes(
        self, image: Tensor, sample: BaseDataElement
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of an image in whole pixels, and their labels.

        Args:
            image: See :meth:`label`.
            sample: See :meth:`label`.

        Returns:
            (N, 4) int64, without the last row and column, and (N,) int64.

        Raises:
            ValueError: A box without a pixel in the image, or of stuff.
        """
        found = sample.gt_instances
        labels = found.labels.cpu().numpy()
        given = get_box_tensor(found.bboxes).cpu().numpy()
        boxes = pixel_boxes(given, tuple(image.shape[-2:]))
        for index in np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1)):
            raise ValueError(
                f'{_place(sample, index)}: the box {given[index].tolist()} (x0, '
                f'y0, x1, y1) has no pixel in the image of {image.shape[-1]} x '
                f'{image.shape[-2]} pixels. Remove or correct it.'
            )
        for index in np.flatnonzero(labels >= self.num_things_classes):
            raise ValueError(
                f'{_place(sample, index)} has the label {labels[index]}, things are '
                f'those below {self.num_things_classes}. Give boxes of things alone, '
                'or correct num_things_classes.'
            )
        return boxes, labels

    def masks(
        self, image: Tensor, sample: BaseDataElement, boxes: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """GrabCut and proposal of each box, one after the other.

        Args:
            image: See :meth:`label`.
            sample: See :meth:`label`.
            boxes: (N, 4), of :meth:`boxes`.

        Yields:
            Two masks (H, W) bool; None without a proposal.

        Raises:
            ValueError: Proposals of an image of another size.
        """
        pixels = image.permute(1, 2, 0).contiguous().cpu().numpy()
        proposals = sample.get('mask_proposals')
        chosen = np.full(len(boxes), -1)
        if proposals is not None:
            if proposals.size != pixels.shape[:2]:
                raise ValueError(
                    f'{_image(sample)}: the proposals are of an image of '
                    f'{proposals.size}, this one is {pixels.shape[:2]} (height, width).'
                )
            overlap = self.test_cfg['overlap']
            chosen = match_boxes_to_proposals(boxes, proposals, overlap)
        num_iters, context = (
            self.test_cfg[key] for key in ('num_iters', 'grabcut_context')
        )
        for box, index in zip(boxes, chosen):
            found = None if index < 0 else proposals[[index]].decode()[0]
            yield grab_cut(pixels, box, num_iters, context), found

    def _panoptic_codes(self, found: BoxLabels) -> np.ndarray:
        """``label + 1000 * instance``; instance 0 where it is unknown, and of stuff."""
        outside = self.num_classes
        num_stuff = self.num_classes - self.num_things_classes
        if self.test_cfg['background'] and num_stuff == 1:
            outside = self.num_things_classes
        labels = np.where(found.semantic == _NO_THING, outside, found.semantic)
        labels[found.semantic == IGNORE_INDEX] = self.num_classes
        return labels + INSTANCE_OFFSET * found.instances.clip(min=0)


def _place(sample: BaseDataElement, index: int) -> str:
    ann_id = sample.gt_instances.ann_ids[index]
    ann_id = ann_id.item() if isinstance(ann_id, Tensor) else ann_id
    return f'{_image(sample)}, annotation id {ann_id!r}'


def _image(sample: BaseDataElement) -> str:
    return image_place(str(sample.get('img_path')), sample.get('img_id'))
