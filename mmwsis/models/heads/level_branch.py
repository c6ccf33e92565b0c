"""Branch of IRNet's heads: 1x1 convolution, group normalisation, enlargement, ReLU."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops.tensor_checks import as_integer, check_floating, check_shape


class LevelBranch(nn.Module):
    """Brings one feature level of a backbone to a common width and resolution.

    The order is convolution, group normalisation, bilinear enlargement, ReLU (IRNet,
    released code); ReLU after the enlargement is not the same as before. Weights start
    as PyTorch draws them.

    Args:
        in_channels: Channels of the level.
        out_channels: Channels of the result.
        num_groups: Groups of the normalisation.
        scale: Integer factor of the enlargement; 1 for none. Defaults to 1.

    Raises:
        ValueError: A setting is no integer above 0, or ``out_channels`` does not
            divide into the groups.

    Example:
        >>> import torch
        >>> branch = LevelBranch(16, out_channels=8, num_groups=4, scale=2)
        >>> branch(torch.rand(1, 16, 5, 7)).shape
        torch.Size([1, 8, 10, 14])
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_groups: int, scale: int = 1
    ) -> None:
        super().__init__()
        in_channels = as_integer('in_channels', in_channels, 1)
        out_channels = as_integer('feat_channels', out_channels, 1)
        num_groups = as_integer('num_groups', num_groups, 1)
        if out_channels % num_groups:
            raise ValueError(
                f'{out_channels} channels do not divide into num_groups={num_groups}.'
            )
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.GroupNorm(num_groups, out_channels)
        self.scale = as_integer('scale', scale, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the branch.

        Args:
            x: ``(B, in_channels, h, w)``.

        Returns:
            ``(B, out_channels, scale * h, scale * w)``.
        """
        x = self.norm(self.conv(x))
        if self.scale != 1:
            x = F.interpolate(
                x, scale_factor=self.scale, mode='bilinear', align_corners=False
            )
        return F.relu(x)


def check_levels(
    levels: Sequence[Tensor], branches: Sequence[LevelBranch], owner: str
) -> None:
    """Refuse feature levels that do not belong to the branches.

    Args:
        levels: Feature levels ``(B, C_i, h_i, w_i)``.
        branches: One per level.
        owner: Names the head in the message.

    Raises:
        ValueError: Another number of levels, of channels, or of images.
    """
    if len(levels) != len(branches):
        raise ValueError(f'{owner} has {len(branches)} levels; got {len(levels)}.')
    batch: int | str = 'B'
    for index, (level, branch) in enumerate(zip(levels, branches)):
        shape = batch, branch.conv.in_channels, 'h', 'w'
        check_shape(f'levels[{index}]', level, shape, like=levels[0])
        check_floating(f'levels[{index}]', level)
        batch = len(level)
        if not min(level.shape[2:]):
            raise ValueError(
                f'levels[{index}]: expected pixels, got shape {tuple(level.shape)}.'
            )


def crop_to(x: Tensor, reference: Tensor) -> Tensor:
    """Cut a map at the bottom and the right to the size of another.

    Enlarged coarse levels may be some pixels too large, because sizes are rounded up.

    Args:
        x: ``(B, C, h, w)``.
        reference: ``(B, C', h', w')``, not larger.

    Raises:
        ValueError: The reference is larger.
    """
    if x.shape[-2] < reference.shape[-2] or x.shape[-1] < reference.shape[-1]:
        raise ValueError(
            f'a level enlarged to {tuple(x.shape[-2:])} does not cover '
            f'{tuple(reference.shape[-2:])}: the levels are not of the strides given.'
        )
    return x[..., : reference.shape[-2], : reference.shape[-1]]


def level_scales(strides: tuple[int, ...], target: int) -> list[int]:
    """Factors that bring levels to the stride of a target.

    Args:
        strides: Of the levels, in pixels.
        target: Stride to reach.

    Returns:
        One integer factor per level.

    Raises:
        ValueError: A stride is no multiple of the target.

    Example:
        >>> level_scales((4, 8, 16), target=4)
        [1, 2, 4]
    """
    strides = tuple(as_integer('strides', stride, 1) for stride in strides)
    target = as_integer('strides', target, 1)
    wrong = [stride for stride in strides if stride % target]
    if wrong:
        raise ValueError(
            f'strides must be multiples of {target}, to be enlarged by integer '
            f'factors; got {wrong} among {tuple(strides)}.'
        )
    return [stride // target for stride in strides]
