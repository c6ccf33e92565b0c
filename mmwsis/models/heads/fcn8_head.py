"""Maps of the image's size from three levels of a backbone."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops.tensor_checks import (
    as_integer,
    as_size,
    check_floating,
    check_shape,
)
from mmwsis.registry import MODELS


@MODELS.register_module()
class FCN8Head(BaseModule):
    """Skip connections of FCN-8s, as in `WISE <https://arxiv.org/abs/1906.06392>`_.

    One 1x1 convolution per level, from coarse to fine; the sum so far is enlarged to
    the next level and added. Bilinear with ``align_corners=True`` throughout, so that
    the maps depend on the size of the image: a padded batch gives others. Neither
    nonlinearity nor normalisation.

    Args:
        in_channels: Channels of the levels, fine to coarse. Defaults to those of
            ResNet-50 at strides 8, 16 and 32.
        out_channels: Channels of the maps: C + 1 classes (WISE's L-Net) or the length
            of the embeddings (its E-Net).
        init_cfg: Initialisation; PyTorch's own if None. Defaults to None.

    Raises:
        ValueError: No level, or channels that are no integers above 0.

    Example:
        >>> import torch
        >>> head = FCN8Head(in_channels=(8, 16, 32), out_channels=4)
        >>> sizes = (8, 9, 12), (16, 5, 6), (32, 3, 3)
        >>> levels = [torch.rand(1, *size) for size in sizes]
        >>> head.stride8(levels).shape, head(levels, (70, 93)).shape
        (torch.Size([1, 4, 9, 12]), torch.Size([1, 4, 70, 93]))
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024, 2048),
        *,
        out_channels: int,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not in_channels:
            raise ValueError('in_channels: expected one per level, got none.')
        out_channels = as_integer('out_channels', out_channels, 1)
        self.scores = nn.ModuleList(
            nn.Conv2d(as_integer('in_channels', channels, 1), out_channels, 1)
            for channels in in_channels
        )

    def stride8(self, features: Sequence[Tensor]) -> Tensor:
        """Sum up the levels at the size of the finest, stride 8 in the paper.

        Args:
            features: ``(B, in_channels[i], h_i, w_i)`` each, fine to coarse.

        Returns:
            ``(B, out_channels, h_0, w_0)``.

        Raises:
            TypeError: Features of integers.
            ValueError: Another number of levels, or features of another shape.
        """
        if len(features) != len(self.scores):
            raise ValueError(
                f'features: expected {len(self.scores)} levels, got {len(features)}.'
            )
        total = None
        for layer, level in zip(reversed(self.scores), reversed(features)):
            check_shape('features', level, ('B', layer.in_channels, 'h', 'w'))
            check_floating('features', level)
            own = layer(level)
            total = own if total is None else own + _enlarged(total, own.shape[2:])
        return total

    def forward(self, features: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Predict maps of the image.

        Args:
            features: ``(B, in_channels[i], h_i, w_i)`` each, fine to coarse.
            size: ``(H, W)`` of the image, without padding.

        Returns:
            ``(B, out_channels, H, W)``.

        Raises:
            TypeError: Features of integers.
            ValueError: Another number of levels, or features of another shape.
        """
        return _enlarged(self.stride8(features), as_size('size', size, 1))


def _enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(maps, tuple(size), mode='bilinear', align_corners=True)
