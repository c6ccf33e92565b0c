"""The grid of stride 4 on which IRNet works."""

import torch
from torch import Tensor

STRIDE = 4


def stride4_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Return (h, w) of the grid of an image: a cell for each four pixels begun.

    Args:
        image_size: (H, W) of the image in pixels.
    """
    height, width = image_size
    return (height - 1) // STRIDE + 1, (width - 1) // STRIDE + 1


def stride4_labels(labels: Tensor) -> Tensor:
    """Sample a label map at a quarter of its size, as Pillow's nearest resize does.

    For sides that are multiples of four these are the pixels (4i + 2, 4j + 2). The
    size is a quarter rounded half to even, other than :func:`stride4_size`.

    Args:
        labels: (..., H, W) labels of any type.

    Returns:
        (..., round(H / 4), round(W / 4)) labels.
    """
    rows, cols = (_centres(side, labels.device) for side in labels.shape[-2:])
    return labels[..., rows[:, None], cols]


def _centres(side: int, device: torch.device) -> Tensor:
    count = round(side / STRIDE)
    cells = torch.arange(count, device=device)
    # The centre of a cell, (i + 1/2) side / count, cut to an integer.
    return torch.div((2 * cells + 1) * side, 2 * max(count, 1), rounding_mode='floor')
