"""Encoder of the mask labelers from any backbone with feature levels."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops.tensor_checks import as_integer, check_shape
from mmwsis.registry import MODELS


@MODELS.register_module()
class BackboneEncoder(BaseModule):
    """Levels of a backbone, fused to one map on the patch grid.

    A variant of ours: `MAL <https://arxiv.org/abs/2301.03992>`_ and `EXITS
    <https://arxiv.org/abs/2405.20729>`_ encode crops with a vision transformer, which
    lives on its pretrained weights. This encoder takes any backbone of MMDetection,
    MMSegmentation or this package in its place, with the weights that it has. Every
    level passes a 1x1 convolution and is resized to the grid bilinearly; their sum is
    normalised.

    The mean teacher averages parameters, not the running statistics of batch
    normalisation: keep those of the pretrained weights (``norm_eval=True`` of the
    backbone).

    Args:
        backbone: Config of the backbone, of which every output is a level.
        in_channels: Channels of the levels, finest first.
        embed_dims: Channels of the map. Defaults to 128.
        patch_size: Side of a cell of the grid in pixels; divides the sides of the
            images. Defaults to 8.
        init_cfg: Initialisation of the whole; the backbone has its own, and the rest
            starts as torch has it. Defaults to None.

    Example:
        >>> import torch
        >>> encoder = BackboneEncoder(
        ...     backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8,
        ...                   stem_channels=8, out_indices=(1, 2)),
        ...     in_channels=(16, 32), embed_dims=24)
        >>> encoder(torch.rand(2, 3, 64, 48)).shape
        torch.Size([2, 24, 8, 6])
    """

    def __init__(
        self,
        backbone: dict,
        in_channels: Sequence[int],
        embed_dims: int = 128,
        patch_size: int = 8,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        self.in_channels = tuple(as_integer('in_channels', n, 1) for n in in_channels)
        self.embed_dims = as_integer('embed_dims', embed_dims, 1)
        self.patch_size = as_integer('patch_size', patch_size, 1)
        self.projections = nn.ModuleList(
            nn.Conv2d(channels, self.embed_dims, 1) for channels in self.in_channels
        )
        # Over all positions of a crop, as nothing depends on the batch.
        self.norm = nn.GroupNorm(1, self.embed_dims)

    def forward(self, images: Tensor) -> Tensor:
        """Encode images.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            ``(B, embed_dims, H / patch_size, W / patch_size)``.

        Raises:
            ValueError: The sides are no multiples of ``patch_size``, or the backbone
                returns other levels than ``in_channels`` says.
        """
        grid = patch_grid(images, self.patch_size)
        levels = self.backbone(images)
        channels = tuple(level.shape[1] for level in levels)
        if channels != self.in_channels:
            raise ValueError(
                f'in_channels={self.in_channels}, but the levels of the backbone have '
                f'{channels} channels; give these.'
            )
        maps = [
            resize_to_grid(projection(level), grid)
            for projection, level in zip(self.projections, levels, strict=True)
        ]
        return self.norm(sum(maps))


def patch_grid(images: Tensor, patch_size: int) -> tuple[int, int]:
    """Rows and columns of the patch grid of ``(B, 3, H, W)`` images.

    Raises:
        ValueError: Not images, or sides that are no multiples of ``patch_size``.
    """
    check_shape('images', images, ('B', 3, 'H', 'W'))
    height, width = images.shape[2:]
    if height % patch_size or width % patch_size:
        raise ValueError(
            f'the sides of the images must be multiples of patch_size={patch_size}; '
            f'got {height}x{width}.'
        )
    return height // patch_size, width // patch_size


def resize_to_grid(level: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize a ``(B, C, h, w)`` map to the grid; a finer one by the mean of a cell."""
    if level.shape[-2] > grid[0]:
        return F.adaptive_avg_pool2d(level, grid)
    return F.interpolate(level, size=grid, mode='bilinear', align_corners=False)
