"""Pseudo labels that Segment Anything makes better where it agrees with them."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmwsis.models.sam_network import EncodedImage
from mmwsis.registry import MODELS

from .sam_labeler import SAMLabeler


@MODELS.register_module()
class SAMRefiner(SAMLabeler):
    """Takes SAM's mask for a pseudo label where both agree, else leaves the label.

    SAM is prompted with the box of the label, the one that the labeler was given, and
    with points inside of its mask. Its mask is accepted if

    - its IoU with the pseudo label is at least ``min_iou``: it is the same object; and
    - the IoU of its tight box with the prompt's is at least ``min_box_iou``: it is
      neither a part of the object nor more than it.

    The data pipeline is ``LoadCachedImage``, ``PackPrompts(prompt='masks')`` on a file
    of pseudo labels, which is declared as 'masks'; the artifact is
    ``dict(type='object_masks', refine=True)``. ``pred_instances`` has ``accepted``
    (N,) besides the fields of :class:`SAMLabeler`.

    Args:
        weights: See :class:`SAMLabeler`.
        revision: See :class:`SAMLabeler`. Defaults to None.
        test_cfg: ``min_iou``, ``min_box_iou``, 0 to 1, and the settings of
            :class:`SAMLabeler`. Defaults to None: 0.5 and 0.75.
        data_preprocessor: See :class:`SAMLabeler`. Defaults to None.

    Raises:
        ValueError: A threshold outside of [0, 1]; see also :class:`SAMLabeler`.
    """

    test_defaults: ClassVar[dict[str, Any]] = dict(
        SAMLabeler.test_defaults, min_iou=0.5, min_box_iou=0.75
    )

    def __init__(
        self,
        weights: str | os.PathLike,
        revision: str | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(weights, revision, test_cfg, data_preprocessor)
        limits = {key: self.test_cfg[key] for key in ('min_iou', 'min_box_iou')}
        if not all(0 <= limit <= 1 for limit in limits.values()):
            raise ValueError(f'test_cfg: thresholds lie in [0, 1]; got {limits}.')

    def _label(self, image: EncodedImage | None, prompts: InstanceData) -> InstanceData:
        found = super()._label(image, prompts)
        boxes = prompts.boxes.tolist()
        accepted = [
            self.agree(mask, own, box)
            for mask, own, box in zip(found.masks, prompts.masks, boxes, strict=True)
        ]
        found.accepted = torch.tensor(accepted, dtype=torch.bool)
        return found

    def agree(
        self, mask: Mapping[str, Any], own: Mapping[str, Any], box: list[float]
    ) -> bool:
        """Whether a mask takes the place of a pseudo label.

        Args:
            mask: SAM's, COCO RLE.
            own: The pseudo label, COCO RLE.
            box: x0, y0, x1, y1 of the prompt.
        """
        if not coco_mask.area(mask):
            return False
        x0, y0, x1, y1 = box
        tight = coco_mask.toBbox(mask)[None]
        mask_iou = coco_mask.iou([mask], [own], [0])[0, 0]
        box_iou = coco_mask.iou(tight, [[x0, y0, x1 - x0, y1 - y0]], [0])[0, 0]
        limits = self.test_cfg
        return bool(mask_iou >= limits['min_iou'] and box_iou >= limits['min_box_iou'])
