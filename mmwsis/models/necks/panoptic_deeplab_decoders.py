"""The two decoders of Panoptic-DeepLab: one for semantics, one for instances."""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmengine.model import BaseModule
from mmseg.models.decode_heads.aspp_head import ASPPModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops.tensor_checks import check_shape
from mmwsis.registry import MODELS


@MODELS.register_module()
class PanopticDeepLabDecoders(BaseModule):
    """Two :class:`Decoder` s on the levels of one backbone.

    `Panoptic-DeepLab <https://arxiv.org/abs/1911.10194>`_ with atrous spatial pyramid
    pooling on the coarsest level and skip connections from the others, as in the
    released code of `BESTIE <https://arxiv.org/abs/2109.09477>`_. Heads of semantic
    classes read the first output, those of centres and offsets the second.

    Args:
        in_channels: Channels of the levels, finest first. Defaults to ResNet-50's.
        semantic: Arguments of the first decoder: ``channels``, and ``low_channels`` of
            all levels but the coarsest, finest first. Defaults to
            ``dict(channels=256, low_channels=(32, 64, 128))``.
        instance: Those of the second. Defaults to
            ``dict(channels=128, low_channels=(16, 32, 64))``.
        init_std: Convolutions start from N(0, ``init_std``). Defaults to 0.001.
        init_cfg: Initialisation before that. Defaults to None.
        **kwargs: Further arguments of both :class:`Decoder` s.

    Raises:
        ValueError: Not one ``low_channels`` per level but the coarsest.

    Example:
        >>> import torch
        >>> neck = PanopticDeepLabDecoders(in_channels=(8, 16, 32, 64))
        >>> sizes = (32, 48), (16, 24), (8, 12), (4, 6)
        >>> levels = [torch.rand(2, 8 * 2**i, *size) for i, size in enumerate(sizes)]
        >>> [tuple(features.shape) for features in neck(levels)]
        [(2, 256, 32, 48), (2, 128, 32, 48)]
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (256, 512, 1024, 2048),
        semantic: dict | None = None,
        instance: dict | None = None,
        init_std: float = 0.001,
        init_cfg: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(init_cfg)
        semantic = semantic or dict(channels=256, low_channels=(32, 64, 128))
        instance = instance or dict(channels=128, low_channels=(16, 32, 64))
        self.init_std = init_std
        self.semantic = Decoder(in_channels, **semantic, **kwargs)
        self.instance = Decoder(in_channels, **instance, **kwargs)

    def init_weights(self) -> None:
        """Draw the convolutions, which have no biases, from N(0, ``init_std``)."""
        super().init_weights()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=self.init_std)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Decode the levels twice.

        Args:
            levels: ``(B, in_channels[i], h_i, w_i)``, finest first.

        Returns:
            Semantic and instance features, ``(B, channels, h_0, w_0)`` each.

        Raises:
            ValueError: Another number of levels, or levels of other shapes.
        """
        return self.semantic(levels), self.instance(levels)


class Decoder(BaseModule):
    """Atrous spatial pyramid pooling, then one skip connection per finer level.

    Args:
        in_channels: Channels of the levels, finest first.
        channels: Channels of the result.
        low_channels: To how many channels the levels but the coarsest are projected,
            finest first.
        aspp_channels: Channels of the pyramid's result. Defaults to 256.
        dilations: Of its 3x3 convolutions. Defaults to (3, 6, 9).
        dropout: Share of the pyramid's result that is dropped. Defaults to 0.5.
        kernel_size: Of the fusing convolutions, odd. Defaults to 5.
        align_corners: How maps are enlarged. Defaults to True.
        norm_cfg: Normalisation. Defaults to ``dict(type='BN', momentum=0.01)``.

    Raises:
        ValueError: Not one ``low_channels`` per level but the coarsest.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        low_channels: Sequence[int],
        aspp_channels: int = 256,
        dilations: Sequence[int] = (3, 6, 9),
        dropout: float = 0.5,
        kernel_size: int = 5,
        align_corners: bool = True,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        *fine, coarsest = self.in_channels = tuple(in_channels)
        if len(low_channels) != len(fine):
            raise ValueError(
                f'low_channels: expected {len(fine)} entries, one per level but the '
                f'coarsest; got {tuple(low_channels)}.'
            )
        norm_cfg = norm_cfg or dict(type='BN', momentum=0.01)
        self.align_corners = align_corners
        self.aspp = PooledASPP(coarsest, aspp_channels, dilations, dropout, norm_cfg)
        self.projections, self.fusions = nn.ModuleList(), nn.ModuleList()
        width = aspp_channels
        for level, low in zip(reversed(fine), reversed(low_channels)):
            self.projections.append(ConvModule(level, low, 1, norm_cfg=norm_cfg))
            self.fusions.append(
                DepthwiseSeparableConvModule(
                    *(width + low, channels, kernel_size),
                    padding=kernel_size // 2,
                    norm_cfg=norm_cfg,
                )
            )
            width = channels

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Decode the levels.

        Args:
            levels: ``(B, in_channels[i], h_i, w_i)``, finest first.

        Returns:
            ``(B, channels, h_0, w_0)``.

        Raises:
            ValueError: Another number of levels, or levels of other shapes.
        """
        if len(levels) != len(self.in_channels):
            raise ValueError(
                f'expected {len(self.in_channels)} levels, got {len(levels)}.'
            )
        for index, (level, width) in enumerate(zip(levels, self.in_channels)):
            check_shape(f'levels[{index}]', level, ('B', width, 'h', 'w'))
        *fine, coarsest = levels
        x = self.aspp(coarsest)
        for level, project, fuse in zip(reversed(fine), self.projections, self.fusions):
            x = F.interpolate(
                *(x, level.shape[2:]),
                mode='bilinear',
                align_corners=self.align_corners,
            )
            x = fuse(torch.cat([project(level), x], dim=1))
        return x


class PooledASPP(BaseModule):
    """Atrous spatial pyramid pooling with a branch for the whole image.

    Args:
        in_channels: Channels of the input.
        channels: Channels of every branch and of the result.
        dilations: Of the 3x3 convolutions; a 1x1 convolution is added.
        dropout: Share of the result that is dropped while training.
        norm_cfg: Normalisation of all branches but that of the image, which has one
            value per channel: one image would have no variance.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        dilations: Sequence[int],
        dropout: float,
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        self.branches = ASPPModule(
            (1, *dilations), in_channels, channels, None, norm_cfg, dict(type='ReLU')
        )
        self.image_pool = ConvModule(in_channels, channels, 1, bias=False)
        self.project = ConvModule(
            (len(dilations) + 2) * channels, channels, 1, norm_cfg=norm_cfg
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Pool at all dilations.

        Args:
            x: ``(B, in_channels, h, w)``.

        Returns:
            ``(B, channels, h, w)``.
        """
        image = self.image_pool(x.mean((2, 3), keepdim=True))
        image = image.expand(-1, -1, *x.shape[2:])
        return self.dropout(self.project(torch.cat([*self.branches(x), image], dim=1)))
