"""A few maps from the features of a network, one vector per pixel."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsis.ops.tensor_checks import as_integer, check_floating, check_shape
from mmwsis.registry import MODELS


@MODELS.register_module()
class PixelHead(BaseModule):
    """One convolution with a ReLU and a 1x1 convolution, linear at the end.

    The heads of `BESTIE <https://arxiv.org/abs/2109.09477>`_ (released code). With
    ``separable=True`` the first convolution is a depthwise and a pointwise one, each
    with a normalisation and a ReLU, as in Panoptic-DeepLab.

    Args:
        in_channels: Channels of the features.
        out_channels: Number of maps.
        feat_channels: Channels between the convolutions. Defaults to 256.
        kernel_size: Of the first convolution, odd. Defaults to 3.
        separable: Whether it is depthwise separable. Defaults to False.
        norm_cfg: Normalisation of the first convolution, which then has no bias.
            Defaults to None.
        in_index: Which of the feature maps is read. Defaults to -1, the last one.
        init_std: Convolutions start from N(0, ``init_std``). Defaults to 0.001.
        init_bias: Start of the biases; None is PyTorch's own. Defaults to 0.
        init_cfg: Initialisation after that of the convolutions. Defaults to None.

    Raises:
        ValueError: Channels or a kernel size that are no integers above 0.

    Example:
        >>> import torch
        >>> head = PixelHead(in_channels=48, out_channels=21)
        >>> head((torch.rand(2, 48, 8, 12),)).shape
        torch.Size([2, 21, 8, 12])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        feat_channels: int = 256,
        kernel_size: int = 3,
        separable: bool = False,
        norm_cfg: dict | None = None,
        in_index: int = -1,
        init_std: float = 0.001,
        init_bias: float | None = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        in_channels = as_integer('in_channels', in_channels, 1)
        out_channels = as_integer('out_channels', out_channels, 1)
        feat_channels = as_integer('feat_channels', feat_channels, 1)
        kernel_size = as_integer('kernel_size', kernel_size, 1)
        self.in_channels = in_channels
        self.in_index = in_index
        self.init_std, self.init_bias = init_std, init_bias
        block = DepthwiseSeparableConvModule if separable else ConvModule
        self.conv = block(
            in_channels,
            feat_channels,
            kernel_size,
            padding=kernel_size // 2,
            norm_cfg=norm_cfg,
        )
        self.predict = nn.Conv2d(feat_channels, out_channels, 1)

    def init_weights(self) -> None:
        """Draw the convolutions from N(0, ``init_std``)."""
        super().init_weights()  # the blocks' own start, which this replaces
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=self.init_std)
                if module.bias is not None and self.init_bias is not None:
                    nn.init.constant_(module.bias, self.init_bias)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Predict the maps.

        Args:
            features: Feature maps, of which ``in_index`` is ``(B, in_channels, h, w)``.

        Returns:
            ``(B, out_channels, h, w)``.

        Raises:
            TypeError: Features of integers.
            ValueError: Features of another shape.
        """
        features = features[self.in_index]
        check_shape('features', features, ('B', self.in_channels, 'h', 'w'))
        check_floating('features', features)
        return self.predict(self.conv(features))
