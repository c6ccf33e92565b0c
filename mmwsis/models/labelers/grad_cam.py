"""Grad-CAM of an image at one size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

from mmwsis.ops import grad_cam
from mmwsis.registry import MODELS

from .multi_scale_cam import only_view

if TYPE_CHECKING:
    from .cam_classifier import CAMClassifier


@MODELS.register_module()
class GradCAM(BaseModule):
    """`Grad-CAM <https://arxiv.org/abs/1610.02391>`__ of every class, over its maximum.

    Needs of the classifier's head nothing but its logits, whatever it computes them by,
    in place of :class:`MultiScaleCAM`. The last feature map is computed once; the
    gradients run through the head alone. The maps of `Weakly- and Semi-Supervised
    Panoptic Segmentation <https://arxiv.org/abs/1808.03575>`__ (Li et al., section
    3.3).

    Example:
        >>> import torch
        >>> from types import SimpleNamespace
        >>> # A classifier that finds class 1 in the red channel.
        >>> classifier = SimpleNamespace(
        ...     features=lambda images: images[..., ::8, ::8],
        ...     head=lambda x: x.mean((2, 3))[:, [2, 0]])
        >>> image = torch.zeros(3, 32, 32)
        >>> image[0, :, 24:] = 1
        >>> found = GradCAM()(classifier, [image], torch.tensor([1]), (32, 64))
        >>> found.high_res.shape, found.tag_logits
        (torch.Size([1, 32, 64]), tensor([0.0000, 0.2500]))
        >>> found.high_res[0, 16, ::9].round(decimals=1)
        tensor([0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.3000, 0.9000, 1.0000])
    """

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
            views: The image, ``(3, h, w)``, normalised.
            labels: ``(K,)`` int64, ascending; the classes in the image.
            image_size: ``(H, W)`` of the original image in pixels.

        Returns:
            ``labels`` and ``high_res`` ``(K, H, W)``, float32 in [0, 1], bilinearly
            enlarged, 0 where a class is found nowhere; as metainfo ``tag_logits``
            ``(C,)`` of all classes.

        Raises:
            ValueError: Not one view.
        """
        view = only_view(views, type(self).__name__)
        features = classifier.features(view[None]).detach()
        with torch.enable_grad():  # prediction runs without
            features.requires_grad_()
            logits = classifier.head(features)[0]
            gradients = [
                torch.autograd.grad(logits[label], features, retain_graph=True)[0][0]
                for label in labels.tolist()
            ]
        features = features.detach()[0]
        if not gradients:
            high_res = features.new_zeros(0, *image_size, dtype=torch.float32)
        else:
            heat = grad_cam(features, torch.stack(gradients))
            high_res = F.interpolate(
                heat[None], tuple(image_size), mode='bilinear', align_corners=False
            )[0]
            highest = high_res.amax((1, 2), keepdim=True)
            high_res = high_res / highest.clamp(min=torch.finfo(high_res.dtype).tiny)
        return InstanceData(
            metainfo=dict(tag_logits=logits.detach().float()),
            labels=labels,
            high_res=high_res,
        )
