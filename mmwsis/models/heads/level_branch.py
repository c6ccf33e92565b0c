"""Branch of IRNet's heads: 1x1 convolution, group normalisation, enlargement, ReLU."""

from torch import Tensor, nn
from torch.nn import functional as F


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
        ValueError: ``out_channels`` does not divide into the groups.

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
        if out_channels % num_groups:
            raise ValueError(
                f'{out_channels} channels do not divide into num_groups={num_groups}.'
            )
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.GroupNorm(num_groups, out_channels)
        self.scale = scale

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


def crop_to(x: Tensor, reference: Tensor) -> Tensor:
    """Cut a map at the bottom and the right to the size of another.

    Enlarged coarse levels may be some pixels too large, because sizes are rounded up.

    Args:
        x: ``(B, C, h, w)``.
        reference: ``(B, C', h', w')``, not larger.
    """
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
    wrong = [stride for stride in strides if stride % target]
    if wrong:
        raise ValueError(
            f'strides must be multiples of {target}, to be enlarged by integer '
            f'factors; got {wrong} among {tuple(strides)}.'
        )
    return [stride // target for stride in strides]
