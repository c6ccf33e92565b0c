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
    r"""Rectified class activation maps, summed over sizes and mirror image.

    `IRNet <https://arxiv.org/abs/1904.05044>`_, Eq. 1, divides the map of a class by
    its maximum. The released code, which this follows, first rectifies it and sums it
    over the scales :math:`s` and the mirror image:

    .. math::
        M_c(x) = \frac{\sum_s S_c^s(x)}{\max_x \sum_s S_c^s(x) + 10^{-5}}, \qquad
        S_c^s = \text{ReLU}(\phi_c^\top f(I^s))
            + \text{mirror}(\text{ReLU}(\phi_c^\top f(\text{mirror}(I^s))))

    where :math:`I^s` is the image at scale :math:`s` and the maps are resized to one
    size. Maps of classes that are not in the image are left out, where the paper has
    zeros.

    A map extractor: called with a classifier, the images of one sample and the classes
    in it, it returns their maps. Another one (attention peaks, Grad-CAM) has the same
    call; one that needs gradients switches them on with ``torch.enable_grad()``, as
    prediction runs without.

    Args:
        stride: Of the backbone in pixels. Defaults to 16.

    Example:
        >>> import torch
        >>> from types import SimpleNamespace
        >>> # A classifier that finds class 1 in the red channel.
        >>> classifier = SimpleNamespace(
        ...     features=lambda images: images[..., ::16, ::16],
        ...     head=SimpleNamespace(class_maps=lambda x: x[:, [2, 0]]))
        >>> image = torch.zeros(3, 32, 64)
        >>> image[0, :, 32:] = 1
        >>> found = MultiScaleCAM()(classifier, [image], torch.tensor([1]), (32, 64))
        >>> found.cam.shape, found.high_res.shape
        (torch.Size([1, 8, 16]), torch.Size([1, 32, 64]))
        >>> found.tag_logits
        tensor([0.0000, 0.5000])
        >>> found.cam[0, 0, ::3].round(decimals=1)
        tensor([0.0000, 0.0000, 0.1000, 0.9000, 1.0000, 1.0000])
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
            ``(K, H, W)``, float32 in [0, 1), 0 where the classifier responds nowhere;
            as metainfo ``tag_logits`` ``(C,)`` of all classes, the mean over the views,
            which costs no further pass.
        """
        # Responses of every scale and of its mirror image, (2, C, h_s, w_s) each.
        responses = [mirrored_responses(classifier, view) for view in views]
        # Rectified, mirrored back, resized, summed and normalised.
        cam, high_res = merge_aug_cams(
            [both[:, labels] for both in responses], image_size, self.stride
        )
        # The logit of a view is the mean of its map.
        logits = torch.stack([both.float().mean((0, 2, 3)) for both in responses])
        return InstanceData(
            metainfo=dict(tag_logits=logits.mean(0)),
            labels=labels,
            cam=cam,
            high_res=high_res,
        )


def only_view(views: Sequence[Tensor], reader: str) -> Tensor:
    """The image, of who takes it at one size.

    Args:
        views: Of the image, ``(3, h, w)`` each.
        reader: Who takes it, for the message.

    Raises:
        ValueError: Not one view.
    """
    if len(views) != 1:
        raise ValueError(
            f'{reader} takes an image at one size, got {len(views)} views. Leave '
            'mmwsis.ImageScales out of the pipeline.'
        )
    return views[0]


def mirrored_responses(classifier: 'CAMClassifier', view: Tensor) -> Tensor:
    """Maps of an image and of its mirror image, before any rectification.

    Args:
        classifier: In evaluation mode.
        view: The image, ``(3, h, w)``, normalised.

    Returns:
        ``(2, C, h', w')``; the second is not mirrored back.
    """
    both = torch.stack([view, view.flip(-1)])
    return classifier.head.class_maps(classifier.features(both))
