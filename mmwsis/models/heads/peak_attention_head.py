"""Classification by maps that convolutions with peak attention have made sparse."""

from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmwsis.ops.tensor_checks import as_integer, check_floating, check_shape
from mmwsis.registry import MODELS

from .class_map_head import ClassMapHead, check_positions


@MODELS.register_module()
class PeakAttentionHead(ClassMapHead):
    """Convolutions with peak attention before the classifier of a class map head.

    The last layers of the classifier of `BESTIE <https://arxiv.org/abs/2109.09477>`_
    (supplement, figure 10): 3x3 convolutions, each followed by peak attention, and a
    1x1 convolution to one map per class; logits are means of the maps. What is sparse
    before the classifier is sparse in the maps, whose peaks are the instance cues.

    Args:
        num_classes: Number of classes C.
        in_channels: Channels of the last feature map of the backbone. Defaults to 512.
        feat_channels: Channels of the convolutions. Defaults to 512.
        num_convs: How many. Defaults to 3.
        act_cfg: What follows each of them. Defaults to
            ``dict(type='mmwsis.PeakAttention', alpha=0.7)``; ``alpha=0`` makes the maps
            plain CAMs.
        init_cfg: Initialisation. Defaults to None: normal, of variance 2 / (k^2 C_out)
            for C_out kernels of k x k, biases 0.

    Raises:
        ValueError: A number of classes, channels or layers that is no integer above 0.

    Example:
        >>> import torch
        >>> head = PeakAttentionHead(num_classes=3, in_channels=8, feat_channels=16)
        >>> features = torch.rand(2, 8, 5, 7)
        >>> head(features).shape, head.class_maps(features).shape
        (torch.Size([2, 3]), torch.Size([2, 3, 5, 7]))
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 512,
        feat_channels: int = 512,
        num_convs: int = 3,
        act_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            num_classes,
            as_integer('feat_channels', feat_channels, 1),
            bias=True,
            init_cfg=init_cfg or dict(type='Kaiming', layer='Conv2d'),
        )
        self.in_channels = width = as_integer('in_channels', in_channels, 1)
        act_cfg = act_cfg or dict(type='mmwsis.PeakAttention', alpha=0.7)
        self.convs = nn.Sequential()
        for _ in range(as_integer('num_convs', num_convs, 1)):
            self.convs.append(
                ConvModule(width, feat_channels, 3, padding=1, act_cfg=act_cfg)
            )
            width = feat_channels

    def forward(self, features: Tensor) -> Tensor:
        """Classify.

        Args:
            features: ``(B, in_channels, h, w)``.

        Returns:
            Logits ``(B, C)``.

        Raises:
            ValueError: Wrong shape, or a map without positions.
        """
        return super().forward(self._attended(features))

    def class_maps(self, features: Tensor) -> Tensor:
        """Response of every class at every position, before any rectification.

        Args:
            features: ``(B, in_channels, h, w)``.

        Returns:
            ``(B, C, h, w)``.

        Raises:
            ValueError: Wrong shape, or a map without positions.
        """
        return super().class_maps(self._attended(features))

    def _attended(self, features: Tensor) -> Tensor:
        check_shape('features', features, ('B', self.in_channels, 'h', 'w'))
        check_floating('features', features)
        check_positions(features)
        return self.convs(features)
