"""Displacement towards the centroid of the own instance."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsis.registry import MODELS

from .level_branch import LevelBranch, check_levels, crop_to, level_scales

_LEAST_LEVELS = 3


@MODELS.register_module()
class DisplacementHead(BaseModule):
    r"""Displacement branch of `IRNet <https://arxiv.org/abs/1904.05044>`_, section 4.1.

    The coarse feature levels are merged at the resolution of the finest of them, then
    with the fine ones at theirs; a 1x1 convolution gives two numbers per pixel, the way
    :math:`D(x)` to the centroid of the instance at :math:`x`. Fine are the levels of
    the first one's stride: the ResNet's stem and first group. 1,269,120 parameters on
    the five levels of ResNet-50.

    Only differences of displacements are trained (Eq. 5 and 6), so a common offset is
    free, while the displacements of an instance sum to zero by definition (section
    4.3). The released code therefore finds the mean over the images, ``mean_shift``,
    after training (``mmwsis.DisplacementMeanHook``); it is saved with the weights and
    subtracted in evaluation mode. In training mode nothing is.

    Args:
        in_channels: Channels of the feature levels, finest first; IRNet has five.
            Defaults to (64, 256, 512, 1024, 2048).
        strides: Strides of the levels in pixels; the first is that of the output.
            Defaults to (4, 4, 8, 16, 16).
        feat_channels: Channels of the levels' branches; both merged maps are as wide
            as the last. Defaults to (64, 128, 256, 256, 256).
        num_groups: Groups of the normalisation of each. Defaults to
            (8, 16, 16, 16, 16).
        init_cfg: Initialisation; PyTorch's own if None. Defaults to None.

    Raises:
        ValueError: Not one entry per level, at least three, or strides that do not fit.

    Example:
        >>> import torch
        >>> settings = dict(feat_channels=(4, 4, 4), num_groups=(2, 2, 2))
        >>> head = DisplacementHead((8, 8, 16), strides=(4, 4, 8), **settings)
        >>> levels = [torch.rand(2, c, *s) for c, s in
        ...           [(8, (9, 7)), (8, (9, 7)), (16, (5, 4))]]
        >>> head(levels).shape
        torch.Size([2, 2, 9, 7])
    """

    mean_shift: Tensor

    def __init__(
        self,
        in_channels: Sequence[int] = (64, 256, 512, 1024, 2048),
        strides: Sequence[int] = (4, 4, 8, 16, 16),
        feat_channels: Sequence[int] = (64, 128, 256, 256, 256),
        num_groups: Sequence[int] = (8, 16, 16, 16, 16),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        given = dict(
            in_channels=in_channels,
            strides=strides,
            feat_channels=feat_channels,
            num_groups=num_groups,
        )
        counts = {len(values) for values in given.values()}
        if len(counts) != 1 or min(counts) < _LEAST_LEVELS:
            raise ValueError(
                f'{", ".join(given)} need one entry per level, at least '
                f'{_LEAST_LEVELS}; got {given}.'
            )
        # How many levels are fine.
        self.num_fine = sum(stride == strides[0] for stride in strides)
        if self.num_fine == len(strides):
            raise ValueError(f'no level is coarser than the first: strides={strides}.')
        fine, coarse = strides[: self.num_fine], strides[self.num_fine :]
        scales = level_scales(tuple(fine), strides[0])
        scales += level_scales(tuple(coarse), coarse[0])
        self.levels = nn.ModuleList(
            LevelBranch(*settings)
            for settings in zip(in_channels, feat_channels, num_groups, scales)
        )
        width, groups = feat_channels[-1], num_groups[-1]
        (back,) = level_scales((coarse[0],), strides[0])
        of_fine, of_coarse = (
            sum(feat_channels[: self.num_fine]),
            sum(feat_channels[self.num_fine :]),
        )
        self.merge_coarse = LevelBranch(of_coarse, width, groups, back)
        self.merge_all = LevelBranch(of_fine + width, width, groups)
        self.predict = nn.Conv2d(width, 2, 1, bias=False)
        self.register_buffer('mean_shift', torch.zeros(2))

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Predict displacements.

        Args:
            levels: Feature levels ``(B, C_i, h_i, w_i)``.

        Returns:
            ``(B, 2, h, w)`` of the first level's size: (dy, dx) in cells of this map;
            ``mean_shift`` is subtracted in evaluation mode.

        Raises:
            ValueError: Another number of levels, other channels or sizes.
        """
        check_levels(levels, self.levels, 'DisplacementHead')
        # Each level to its own width, the coarse ones to the size of their finest.
        maps = [branch(level) for branch, level in zip(self.levels, levels)]
        # Merge the coarse levels, (B, 3 * 256, h_3, w_3), and enlarge the result.
        count = self.num_fine
        coarse = torch.cat([crop_to(one, levels[count]) for one in maps[count:]], dim=1)
        fine = [*maps[:count], self.merge_coarse(coarse)]
        # Merge it with the fine levels, (B, 64 + 128 + 256, h, w).
        merged = torch.cat([crop_to(one, levels[0]) for one in fine], dim=1)
        # Two numbers per pixel, (B, 2, h, w).
        displacement = self.predict(self.merge_all(merged))
        if self.training:
            return displacement
        return displacement - self.mean_shift[:, None, None]
