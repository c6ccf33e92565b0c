"""Mask proposals from the image alone."""

from typing import Any, ClassVar

import torch
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from mmwsis.ops import generate_proposals
from mmwsis.registry import MODELS

from .weight_free_labeler import WeightFreeLabeler


@MODELS.register_module()
class ProposalGenerator(WeightFreeLabeler):
    """Class-agnostic mask proposals without any training.

    Makes the artifact 'proposals' of images with any labels or none; see
    :func:`mmwsis.ops.generate_proposals`, whose arguments are the keys of ``test_cfg``.
    Scores are not calibrated: compare them within an image, cut them at no threshold.

    Example:
        >>> image = torch.zeros(3, 40, 50, dtype=torch.uint8)
        >>> image[0, 10:30, 15:35] = 220  # an object
        >>> (proposed,) = ProposalGenerator()([image], [BaseDataElement()])
        >>> from pycocotools import mask as coco_mask
        >>> coco_mask.toBbox(proposed.pred_proposals.masks[0]).tolist()
        [15.0, 10.0, 20.0, 20.0]
    """

    artifacts: ClassVar[tuple[str, ...]] = ('proposals',)
    cpu_only: ClassVar[bool] = True
    test_defaults: ClassVar[dict[str, Any]] = dict(
        scales=(50, 100, 200, 400),
        color_spaces=('lab', 'hsv'),
        sigma=0.8,
        min_size=50,
        min_area=50,
        min_area_share=0.0005,
        max_area_share=0.9,
        max_overlap=0.9,
        max_num=1000,
    )

    def label(self, image: Tensor, sample: BaseDataElement) -> None:
        """Fill ``pred_proposals``; see the base class."""
        pixels = image.permute(1, 2, 0).cpu().numpy()
        found = generate_proposals(pixels, **self.test_cfg)
        sample.pred_proposals = InstanceData(
            scores=torch.from_numpy(found.scores), masks=found.rles
        )
