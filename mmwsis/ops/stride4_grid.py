"""The stride-4 grid on which IRNet works."""

import torch
from torch import Tensor

from .tensor_checks import as_size, check_tensor

STRIDE = 4


def stride4_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Size of the stride-4 grid of an image: one cell for each four pixels begun.

    ``h = (H - 1) // 4 + 1``, and w likewise: what convolutions of stride 2 make twice.

    Args:
        image_size: (H, W) of the image in pixels.

    Returns:
        (h, w) of the grid.

    Raises:
        ValueError: Not two integers of at least 0.

    Example:
        >>> stride4_size((375, 500))
        (94, 125)
    """
    height, width = as_size('image_size', image_size)
    return (height - 1) // STRIDE + 1, (width - 1) // STRIDE + 1


def stride4_labels(labels: Tensor) -> Tensor:
    """Sample a label map at stride 4, as Pillow's nearest resize does.

    For sides that are multiples of four these are the pixels (4i + 2, 4j + 2). The
    size is a quarter rounded half to even, other than :func:`stride4_size`.

    Args:
        labels: (..., H, W) labels of any type.

    Returns:
        (..., round(H / 4), round(W / 4)) labels.

    Raises:
        ValueError: Fewer than two dimensions.

    Example:
        >>> stride4_labels(torch.arange(16).expand(8, 16))
        tensor([[ 2,  6, 10, 14],
                [ 2,  6, 10, 14]])
    """
    check_tensor('labels', labels)
    if labels.ndim < 2:
        raise ValueError(
            f'labels: expected shape (..., H, W), got {tuple(labels.shape)}.'
        )
    rows, cols = (_centres(side, labels.device) for side in labels.shape[-2:])
    return labels[..., rows[:, None], cols]


def _centres(side: int, device: torch.device) -> Tensor:
    count = round(side / STRIDE)
    cells = torch.arange(count, device=device)
    # The centre of a cell, (i + 1/2) side / count, cut to an integer.
    return torch.div((2 * cells + 1) * side, 2 * max(count, 1), rounding_mode='floor')
