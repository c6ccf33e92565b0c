"""ResNet that also gives its stem's map: one feature level more."""

from mmdet.models.backbones import ResNet
from torch import Tensor

from mmwsis.registry import MODELS


@MODELS.register_module()
class StemLevelResNet(ResNet):
    """``mmdet.ResNet`` with the map behind the stem's max-pooling as first level.

    `IRNet <https://arxiv.org/abs/1904.05044>`_ reads five feature levels of one
    backbone (section 4.1): the stem after max-pooling and the four groups. With
    ``strides=(1, 2, 2, 1)``, the stride taken out of the last group (section 3), they
    have strides 4, 4, 8, 16 and 16.

    Arguments are those of ``mmdet.ResNet``; ``out_indices`` names groups, the stem's
    map comes before them in any case.

    Example:
        >>> import torch
        >>> backbone = StemLevelResNet(18, strides=(1, 2, 2, 1), base_channels=8,
        ...                            stem_channels=8, style='pytorch')
        >>> _ = backbone.eval()
        >>> backbone.out_channels
        (8, 8, 16, 32, 64)
        >>> with torch.no_grad():
        ...     levels = backbone(torch.rand(1, 3, 64, 96))
        >>> [tuple(level.shape[2:]) for level in levels]
        [(16, 24), (16, 24), (8, 12), (4, 6), (4, 6)]
    """

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of the levels that :meth:`forward` returns."""
        width = self.base_channels * self.block.expansion
        return (self.stem_channels, *(width * 2**index for index in self.out_indices))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the levels.

        Args:
            x: Normalised images ``(B, 3, H, W)``.

        Returns:
            The stem's map and the groups' of ``out_indices``, finest first,
            ``(B, C_i, h_i, w_i)``.
        """
        # The stem, as in mmdet.ResNet, but its map after max-pooling is kept.
        x = self.stem(x) if self.deep_stem else self.relu(self.norm1(self.conv1(x)))
        x = self.maxpool(x)
        levels = [x]
        # The groups.
        for index, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if index in self.out_indices:
                levels.append(x)
        return tuple(levels)
