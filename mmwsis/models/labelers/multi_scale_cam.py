"""Class activation maps of an image at several sizes, mirrored and not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

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

    Every map is divided by its highest value + 1e-5, so it lies in [0, 1) and stays 0
    where the classifier responds nowhere.

    Args:
        flip: Add the maps of the mirrored image.
        stride: Of the map ``cam``, in pixels of the image; IRNet: 4.
        feature_stride: Of the backbone; the map ``high_res`` is interpolated to whole
            cells of it and then cut.
    """

    def __init__(
        self, flip: bool = True, stride: int = 4, feature_stride: int = 16
    ) -> None:
        super().__init__()
        self.flip = flip
        self.stride = stride
        self.feature_stride = feature_stride

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
            ``labels``, ``cam`` ``(K, (H-1)//stride+1, (W-1)//stride+1)`` and
            ``high_res`` ``(K, H, W)``, float32 in [0, 1).
        """
        if not len(labels):
            cam = views[0].new_zeros((0, *self._strided(image_size)))
            return InstanceData(
                labels=labels, cam=cam, high_res=views[0].new_zeros((0, *image_size))
            )
        maps = [self._responses(classifier, view, labels) for view in views]
        cam = self._sum(maps, self._strided(image_size))
        cells = [-(-side // self.feature_stride) for side in image_size]
        high_res = self._sum(maps, [n * self.feature_stride for n in cells])
        high_res = high_res[:, : image_size[0], : image_size[1]]
        return InstanceData(
            labels=labels, cam=_normalised(cam), high_res=_normalised(high_res)
        )

    def _strided(self, image_size: tuple[int, int]) -> tuple[int, int]:
        height, width = ((side - 1) // self.stride + 1 for side in image_size)
        return height, width

    def _responses(
        self, classifier: 'CAMClassifier', view: Tensor, labels: Tensor
    ) -> Tensor:
        batch = torch.stack([view, view.flip(-1)]) if self.flip else view[None]
        maps = classifier.head.class_maps(classifier.features(batch))
        maps = maps[:, labels].float().relu()
        return maps[0] + maps[1].flip(-1) if self.flip else maps[0]

    @staticmethod
    def _sum(maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        return sum(
            F.interpolate(
                one[None], size=tuple(size), mode='bilinear', align_corners=False
            )[0]
            for one in maps
        )


def _normalised(maps: Tensor) -> Tensor:
    return maps / (maps.amax((1, 2), keepdim=True) + 1e-5)
