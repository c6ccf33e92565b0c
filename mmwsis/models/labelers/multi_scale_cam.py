"""Class activation maps of an image at several sizes, mirrored and not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from mmwsis.ops import merge_aug_cams
from mmwsis.registry import MODELS

if TYPE_CHECKING:
    from .cam_classifier import CAMClassifier


@MODELS.register_module()
class MultiScaleCAM(BaseModule):
    """Rectified class activation maps, summed over sizes and mirror image (IRNet).

    A map extractor: called with a classifier, the images of one sample and the classes
    in it, it returns their maps. Another one (attention peaks, Grad-CAM) has the same
    call; one that needs gradients switches them on with ``torch.enable_grad()``, as
    prediction runs without.

    Args:
        stride: Of the backbone in pixels.
    """

    def __init__(self, stride: int = 16) -> None:
        super().__init__()
        self.stride = stride

    def forward(
        self,
        classifier: 'CAMClassifier',
        views: Sequence[Tensor],
        labels: Tensor,
        image_size: tuple[int, int],
    ) -> InstanceData:
        """Extract the maps of one image.

        Args:
            classifier: In evaluation mode.
            views: The image at every size, ``(3, h, w)``, normalised.
            labels: ``(K,)`` int64, ascending; the classes in the image.
            image_size: ``(H, W)`` of the original image in pixels.

        Returns:
            ``labels``, ``cam`` ``(K, (H-1)//4+1, (W-1)//4+1)`` and ``high_res``
            ``(K, H, W)``, float32 in [0, 1), 0 where the classifier responds nowhere.
        """
        if len(labels):
            logits = [self._responses(classifier, view, labels) for view in views]
        else:  # no need to ask the network
            logits = [views[0].new_zeros((2, 0, 1, 1))]
        cam, high_res = merge_aug_cams(logits, image_size, self.stride)
        return InstanceData(labels=labels, cam=cam, high_res=high_res)

    @staticmethod
    def _responses(classifier: 'CAMClassifier', view: Tensor, labels: Tensor) -> Tensor:
        """Maps ``(2, K, h, w)`` of a view and of its mirror image."""
        both = torch.stack([view, view.flip(-1)])
        return classifier.head.class_maps(classifier.features(both))[:, labels]
