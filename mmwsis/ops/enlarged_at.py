"""Values of enlarged maps at some pixels, without making the enlarged maps."""

from torch import Tensor
from torch.nn import functional as F

from .tensor_checks import (
    as_size,
    check_integers,
    check_shape,
    check_tensor,
    check_within,
    full_precision,
    to_full_precision,
)


def enlarged_at(maps: Tensor, pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Take the values that bilinearly enlarged maps have at some pixels.

    What ``F.interpolate(maps[None], size, mode='bilinear', align_corners=True)`` has
    there, in time and memory of the pixels that are asked for.

    Args:
        maps: (d, h, w) maps of an image, such as the embeddings at stride 8.
        pixels: (..., 2) integers ``(x, y)``, pixels of the enlarged maps.
        size: ``(H, W)`` of the enlarged maps.

    Returns:
        (..., d), in full precision, under autocast too.

    Raises:
        TypeError: Pixels of fractions.
        ValueError: Wrong shapes, or a pixel outside the enlarged maps.

    Example:
        >>> import torch
        >>> maps = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
        >>> enlarged_at(maps, torch.tensor([[0, 0], [1, 2], [2, 4]]), (5, 3))
        tensor([[0.0000],
                [1.5000],
                [3.0000]])
    """
    check_shape('maps', maps, ('d', 'h', 'w'))
    check_tensor('pixels', pixels, like=maps)
    check_integers('pixels', pixels)
    if pixels.shape[-1:] != (2,):
        raise ValueError(f'pixels: expected shape (..., 2), got {tuple(pixels.shape)}.')
    height, width = as_size('size', size)
    check_within('pixels: x', pixels[..., 0], 0, width - 1)
    check_within('pixels: y', pixels[..., 1], 0, height - 1)
    maps = to_full_precision(maps)
    if not pixels.numel() or not len(maps):
        # A zero that keeps the graph.
        return maps.sum() * maps.new_zeros(*pixels.shape[:-1], len(maps))
    # From -1 to 1, as grid_sample counts; a side of one pixel reads the first one.
    steps = maps.new_tensor([max(width - 1, 1), max(height - 1, 1)])
    grid = (2 * pixels.to(maps.dtype) / steps - 1).reshape(1, 1, -1, 2)
    with full_precision(maps):
        values = F.grid_sample(
            maps[None], grid, 'bilinear', 'border', align_corners=True
        )
    return values[0, :, 0].T.reshape(*pixels.shape[:-1], len(maps))
