"""Images as grids of patches, and where a patch lies."""

import torch
from torch import Tensor

from mmwsis.ops.tensor_checks import as_integer, as_size, check_shape


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut images into patches.

    Args:
        images: ``(B, C, H, W)``, sides multiples of ``patch_size``.
        patch_size: Side of a patch in pixels.

    Returns:
        ``(B, h * w, patch_size ** 2 * C)``, patches row-major, pixels row-major within
        a patch, channels last.

    Raises:
        ValueError: A side is no multiple of ``patch_size``.

    Example:
        >>> images = torch.arange(16).view(1, 1, 4, 4)
        >>> patchify(images, 2)[0].tolist()
        [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    """
    check_shape('images', images, ('B', 'C', 'H', 'W'))
    patch_size = as_integer('patch_size', patch_size, 1)
    batch, channels, height, width = images.shape
    if height % patch_size or width % patch_size:
        raise ValueError(
            f'the sides of the images must be multiples of patch_size={patch_size}; '
            f'got {height}x{width}.'
        )
    rows, columns = height // patch_size, width // patch_size
    grid = images.view(batch, channels, rows, patch_size, columns, patch_size)
    patches = grid.permute(0, 2, 4, 3, 5, 1)
    return patches.reshape(batch, rows * columns, patch_size**2 * channels)


def unpatchify(patches: Tensor, grid: tuple[int, int], patch_size: int) -> Tensor:
    """Invert :func:`patchify`.

    Args:
        patches: ``(B, h * w, patch_size ** 2 * C)``.
        grid: ``(h, w)``.
        patch_size: Side of a patch in pixels.

    Returns:
        ``(B, C, h * patch_size, w * patch_size)``.

    Raises:
        ValueError: Wrong shapes or sizes.

    Example:
        >>> images = torch.rand(2, 3, 4, 6)
        >>> torch.equal(unpatchify(patchify(images, 2), (2, 3), 2), images)
        True
    """
    rows, columns = as_size('grid', grid)
    patch_size = as_integer('patch_size', patch_size, 1)
    check_shape('patches', patches, ('B', rows * columns, 'n'))
    batch, _, numbers = patches.shape
    if numbers % patch_size**2:
        raise ValueError(
            f'patches: expected {patch_size**2} pixels, got {numbers} numbers each.'
        )
    channels = numbers // patch_size**2
    cells = patches.reshape(batch, rows, columns, patch_size, patch_size, channels)
    images = cells.permute(0, 5, 1, 3, 2, 4)
    return images.reshape(batch, channels, rows * patch_size, columns * patch_size)


def sincos_positions(grid: tuple[int, int], dims: int) -> Tensor:
    r"""Fixed sine-cosine codes of two-dimensional positions.

    As in the released code of `MAE <https://arxiv.org/abs/2111.06377>`_: the first half
    of the channels encodes the column, the second the row; each half is sines followed
    by cosines of :math:`\omega_i p`, with :math:`\omega_i = 10000^{-4i / C}` for
    :math:`i = 0 \dots C / 4 - 1`.

    Args:
        grid: ``(h, w)``.
        dims: Channels, a multiple of 4.

    Returns:
        ``(h * w, dims)`` float32, row-major.

    Raises:
        ValueError: ``dims`` is no multiple of 4.

    Example:
        >>> sincos_positions((1, 2), 4)  # sin x, cos x, sin y, cos y
        tensor([[0.0000, 1.0000, 0.0000, 1.0000],
                [0.8415, 0.5403, 0.0000, 1.0000]])
    """
    rows, columns = as_size('grid', grid)
    dims = as_integer('dims', dims, 4)
    if dims % 4:
        raise ValueError(
            f'sine-cosine codes need a multiple of 4 channels; got {dims}.'
        )
    rates = 10000.0 ** -(torch.arange(dims // 4, dtype=torch.float64) / (dims // 4))
    row, column = torch.meshgrid(
        torch.arange(rows, dtype=torch.float64),
        torch.arange(columns, dtype=torch.float64),
        indexing='ij',
    )
    angles = [axis.reshape(-1, 1) * rates for axis in (column, row)]
    codes = [part for angle in angles for part in (angle.sin(), angle.cos())]
    return torch.cat(codes, dim=1).float()
