"""Class boundaries from the feature levels of a backbone."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsis.registry import MODELS

from .level_branch import LevelBranch, check_levels, crop_to, level_scales


@MODELS.register_module()
class BoundaryHead(BaseModule):
    r"""Boundary branch of `IRNet <https://arxiv.org/abs/1904.05044>`_, section 4.1.

    Every feature level becomes ``feat_channels`` wide and as fine as the second; a 1x1
    convolution over all of them gives the logit of the class boundary :math:`B`, whose
    maximum along a path is the affinity of two pixels (Eq. 7). 125,409 parameters on
    the five levels of ResNet-50.

    Args:
        in_channels: Channels of the feature levels, finest first. Defaults to
            (64, 256, 512, 1024, 2048).
        strides: Strides of the levels in pixels; the first is that of the output.
            Defaults to (4, 4, 8, 16, 16).
        feat_channels: Channels of a level's branch. Defaults to 32.
        num_groups: Groups of its normalisation. Defaults to 4.
        init_cfg: Initialisation; PyTorch's own if None. Defaults to None.

    Raises:
        ValueError: Not one stride per level, at least two, or strides that do not fit.

    Example:
        >>> import torch
        >>> head = BoundaryHead((8, 8, 16), strides=(4, 4, 8), feat_channels=4)
        >>> levels = [torch.rand(2, c, *s) for c, s in
        ...           [(8, (9, 7)), (8, (9, 7)), (16, (5, 4))]]
        >>> head(levels).shape
        torch.Size([2, 1, 9, 7])
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
                'in_channels and strides need one entry per level, at least two; got '
                f'{tuple(in_channels)} and {tuple(strides)}.'
            )
        self.levels = nn.ModuleList(
            LevelBranch(channels, feat_channels, num_groups, scale)
            for channels, scale in zip(
                in_channels, level_scales(tuple(strides), strides[0])
            )
        )
        self.predict = nn.Conv2d(feat_channels * len(strides), 1, 1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Predict boundaries.

        Args:
            levels: Feature levels ``(B, C_i, h_i, w_i)``.

        Returns:
            Logits ``(B, 1, h, w)`` of the first level's size.

        Raises:
            ValueError: Another number of levels, other channels or sizes.
        """
        check_levels(levels, self.levels, 'BoundaryHead')
        # To the width of a branch and the size of the first level: (B, 32, h, w) each.
        maps = [
            crop_to(branch(level), levels[0])
            for branch, level in zip(self.levels, levels)
        ]
        # All levels side by side, (B, 5 * 32, h, w), to one logit per pixel.
        return self.predict(torch.cat(maps, dim=1))
