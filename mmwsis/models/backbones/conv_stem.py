"""Patch embedding by a stack of strided convolutions."""

import math

from mmengine.model import BaseModule
from torch import Tensor, nn


class ConvStem(BaseModule):
    """Patch embedding of MAL's released code: strided 3x3 convolutions.

    ``log2(patch_size)`` stages of 3x3 convolution with stride 2 (no bias), GroupNorm of
    one group and GELU double the channels up to ``embed_dims``; a 1x1 convolution with
    bias follows. It stands in for mmseg's ``PatchEmbed``. `EXITS
    <https://arxiv.org/abs/2405.20729>`_ speaks of a standard ViT, but the 93 M
    parameters of its Table a5 are those of a ViT-B with this stem.

    Args:
        in_channels: Channels of the image. Defaults to 3.
        embed_dims: Channels of a token, a multiple of ``patch_size / 2``. Defaults to
            768.
        patch_size: Side of a patch in pixels, a power of two, at least 2. Defaults to
            16.
        eps: Epsilon of GroupNorm. Defaults to 1e-6.

    Raises:
        ValueError: ``patch_size`` or ``embed_dims`` cannot be reached by halving.

    Example:
        >>> import torch
        >>> stem = ConvStem(embed_dims=32, patch_size=8)
        >>> tokens, grid = stem(torch.rand(2, 3, 16, 24))
        >>> tokens.shape, grid
        (torch.Size([2, 6, 32]), (2, 3))
    """

    def __init__(
        self,
        in_channels: int = 3,
        embed_dims: int = 768,
        patch_size: int = 16,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        stages = int(math.log2(patch_size)) if patch_size >= 2 else 0
        if stages < 1 or 2**stages != patch_size:
            raise ValueError(
                "patch_embed_type='conv_stem' halves the image in each stage, so "
                f'patch_size must be a power of two >= 2; got {patch_size}.'
            )
        if embed_dims % 2 ** (stages - 1):
            raise ValueError(
                f'embed_dims must be a multiple of {2 ** (stages - 1)} for a conv stem '
                f'with patch_size={patch_size}; got {embed_dims}.'
            )
        blocks: list[nn.Module] = []
        for stage in range(stages):
            channels = embed_dims // 2 ** (stages - 1 - stage)
            blocks.append(
                nn.Sequential(
                    nn.Conv2d(
                        in_channels, channels, 3, stride=2, padding=1, bias=False
                    ),
                    nn.GroupNorm(1, channels, eps=eps),
                    nn.GELU(),
                )
            )
            in_channels = channels
        self.patch_size = patch_size
        self.blocks = nn.Sequential(*blocks)
        self.projection = nn.Conv2d(embed_dims, embed_dims, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Embed images.

        Args:
            images: ``(B, in_channels, H, W)``, sides multiples of ``patch_size``.

        Returns:
            Tokens ``(B, h * w, embed_dims)``, row-major, and ``(h, w)``.

        Raises:
            ValueError: A side of the images is no multiple of ``patch_size``.
        """
        height, width = images.shape[-2:]
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(
                f'the sides of the crops must be multiples of patch_size='
                f'{self.patch_size}; got {height}x{width}.'
            )
        # (B, 3, H, W) -> (B, embed_dims, h, w) -> (B, h * w, embed_dims).
        grid = self.projection(self.blocks(images))
        return grid.flatten(2).transpose(1, 2), (grid.shape[2], grid.shape[3])
