"""Class boundaries from the levels of a backbone."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsis.registry import MODELS

from .level_branch import LevelBranch, crop_to, level_scales


@MODELS.register_module()
class BoundaryHead(BaseModule):
    """Boundary branch of IRNet (CVPR 2019, section 4.1; 125,409 parameters on R-50).

    Every level becomes ``feat_channels`` wide and as fine as the second; a 1x1
    convolution over all of them gives the logit of a class boundary.

    Args:
        in_channels: Channels of the levels, finest first.
        strides: Strides of the levels in pixels; the second is that of the output.
        feat_channels: Channels of a level's branch.
        num_groups: Groups of its normalisation.
        init_cfg: Initialisation; PyTorch's own if None.

    Raises:
        ValueError: Not one stride a level, at least two, or strides that do not fit.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (64, 256, 512, 1024, 2048),
        strides: Sequence[int] = (4, 4, 8, 16, 16),
        feat_channels: int = 32,
        num_groups: int = 4,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(in_channels) != len(strides) or len(strides) < 2:
            raise ValueError(
                'in_channels and strides need one entry a level, at least two; got '
                f'{tuple(in_channels)} and {tuple(strides)}.'
            )
        self.levels = nn.ModuleList(
            LevelBranch(channels, feat_channels, num_groups, scale)
            for channels, scale in zip(
                in_channels, level_scales(tuple(strides), strides[1])
            )
        )
        self.predict = nn.Conv2d(feat_channels * len(strides), 1, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Predict boundaries.

        Args:
            levels: Maps ``(B, C_i, h_i, w_i)``.

        Returns:
            Logits ``(B, 1, h, w)`` of the second level's size.

        Raises:
            ValueError: Another number of levels.
        """
        if len(levels) != len(self.levels):
            raise ValueError(
                f'BoundaryHead has {len(self.levels)} levels; got {len(levels)}.'
            )
        maps = [
            crop_to(branch(level), levels[1])
            for branch, level in zip(self.levels, levels)
        ]
        return self.predict(torch.cat(maps, dim=1))
