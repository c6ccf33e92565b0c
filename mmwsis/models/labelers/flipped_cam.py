"""Class activation maps of an image and its mirror image, smoothed for their peaks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from mmwsis.ops import merge_flipped_cams
from mmwsis.registry import MODELS

from .multi_scale_cam import mirrored_responses, only_view

if TYPE_CHECKING:
    from .cam_classifier import CAMClassifier


@MODELS.register_module()
class FlippedCAM(BaseModule):
    """Rectified class activation maps, each over its maximum, averaged and smoothed.

    The maps whose peaks are the instance cues of `BESTIE
    <https://arxiv.org/abs/2109.09477>`_ (section 3.3):
    :func:`mmwsis.ops.merge_flipped_cams`, of one size of the image, in place of
    :class:`MultiScaleCAM`.

    Args:
        smoothing: Side of the square of the mean in pixels of the original image, odd.
            Defaults to 3.

    Example:
        >>> import torch
        >>> from types import SimpleNamespace
        >>> # A classifier that finds class 1 in the red channel.
        >>> classifier = SimpleNamespace(
        ...     features=lambda images: images[..., ::8, ::8],
        ...     head=SimpleNamespace(class_maps=lambda x: x[:, [2, 0]]))
        >>> image = torch.zeros(3, 32, 32)
        >>> image[0, :, 24:] = 1
        >>> found = FlippedCAM()(classifier, [image], torch.tensor([1]), (32, 64))
        >>> found.high_res.shape, found.tag_logits
        (torch.Size([1, 32, 64]), tensor([0.0000, 0.2500]))
        >>> found.high_res[0, 16, ::9].round(decimals=1)
        tensor([0.0000, 0.0000, 0.0000, 0.0000, 0.0000, 0.3000, 0.9000, 0.7000])
    """

    def __init__(self, smoothing: int = 3) -> None:
        super().__init__()
        self.smoothing = smoothing

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
            ``labels`` and ``high_res`` ``(K, H, W)``, float32 in [0, 1); as metainfo
            ``tag_logits`` ``(C,)`` of all classes, the mean over both images.

        Raises:
            ValueError: Not one view.
        """
        view = only_view(views, type(self).__name__)
        responses = mirrored_responses(classifier, view)
        return InstanceData(
            metainfo=dict(tag_logits=responses.float().mean((0, 2, 3))),
            labels=labels,
            high_res=merge_flipped_cams(
                responses[:, labels], image_size, self.smoothing
            ),
        )
