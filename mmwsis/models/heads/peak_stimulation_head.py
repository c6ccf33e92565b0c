"""Classification by the peaks of class response maps."""

from torch import Tensor
from torch.nn import functional as F

from mmwsis.ops import peak_stimulation
from mmwsis.ops.tensor_checks import as_integer, to_full_precision
from mmwsis.registry import MODELS

from .class_map_head import ClassMapHead, check_positions


@MODELS.register_module()
class PeakStimulationHead(ClassMapHead):
    """A class map head whose logits are the means of the peaks of the enlarged maps.

    The head of `peak response maps <https://arxiv.org/abs/1804.00880>`__ (section 3.1),
    as the image-level variant of `WISE <https://arxiv.org/abs/1906.06392>`__ uses it: a
    1x1 convolution with a bias, bilinear enlargement with aligned corners, and
    :func:`mmwsis.ops.peak_stimulation`, which lets only the peaks learn.

    Args:
        num_classes: Number of classes C.
        in_channels: Channels of the last feature map of the backbone. Defaults to 2048.
        scale_factor: How many times larger the maps are than the features. Defaults to
            8: stride 4 behind a backbone of stride 32.
        kernel_size: Side of the window of a peak in cells of the enlarged maps, odd.
            Defaults to 3.
        init_cfg: Initialisation; PyTorch's own if None. Defaults to None.

    Raises:
        ValueError: A number of classes or channels or a factor that is no integer above
            0.

    Example:
        >>> import torch
        >>> head = PeakStimulationHead(num_classes=3, in_channels=8)
        >>> features = torch.rand(2, 8, 5, 7)
        >>> head(features).shape, head.class_maps(features).shape
        (torch.Size([2, 3]), torch.Size([2, 3, 40, 56]))
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        scale_factor: int = 8,
        kernel_size: int = 3,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(num_classes, in_channels, bias=True, init_cfg=init_cfg)
        self.scale_factor = as_integer('scale_factor', scale_factor, 1)
        self.kernel_size = kernel_size

    def forward(self, features: Tensor) -> Tensor:
        """Classify.

        Args:
            features: ``(B, in_channels, h, w)``.

        Returns:
            Logits ``(B, C)``, float32 under autocast too.

        Raises:
            ValueError: Wrong shape, a map without positions, or an even window.
        """
        return peak_stimulation(self.class_maps(features), self.kernel_size)

    def class_maps(self, features: Tensor) -> Tensor:
        """Response of every class at every position, before any rectification.

        Args:
            features: ``(B, in_channels, h, w)``.

        Returns:
            ``(B, C, scale_factor * h, scale_factor * w)``, float32 under autocast too:
            equal neighbours are one peak.

        Raises:
            ValueError: Wrong shape, or a map without positions.
        """
        maps = super().class_maps(features)
        check_positions(features)
        size = [self.scale_factor * side for side in maps.shape[2:]]
        if not len(maps):
            return maps.new_zeros((*maps.shape[:2], *size))
        return F.interpolate(
            to_full_precision(maps), size=size, mode='bilinear', align_corners=True
        )
