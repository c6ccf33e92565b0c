"""Predictions back at the size of the original image.

A data pipeline may have resized an image, from ``ori_shape`` to ``img_shape``, and a
batch may have padded it at the bottom and the right.
"""

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.nn import functional as F


def labels_at_original_size(maps: Tensor, sample: BaseDataElement) -> Tensor:
    """Masks, or maps of classes or ids, by the nearest pixel.

    Args:
        maps: ``(N, H, W)`` bool or integers, of the network's image, with or without
            its padding.
        sample: With the metainfo ``img_shape`` and ``ori_shape``, (height, width).

    Returns:
        ``(N, *ori_shape)`` of the same type.

    Example:
        >>> import torch
        >>> from mmengine.structures import BaseDataElement
        >>> sample = BaseDataElement(metainfo=dict(img_shape=(2, 2), ori_shape=(2, 4)))
        >>> padded = torch.tensor([[[1, 2, 0], [3, 4, 0]]])
        >>> labels_at_original_size(padded, sample)
        tensor([[[1, 1, 2, 2],
                 [3, 3, 4, 4]]])
    """
    maps, size = _unpadded(maps, sample), tuple(sample.ori_shape)
    if maps.shape[1:] == size:
        return maps
    if not len(maps):
        return maps.new_zeros((0, *size))
    # Of the types that torch resizes, the smallest that holds every value.
    small = maps.dtype in (torch.bool, torch.uint8)
    values = maps[None].to(torch.uint8 if small else torch.float64)
    return F.interpolate(values, size=size, mode='nearest-exact')[0].to(maps.dtype)


def scores_at_original_size(maps: Tensor, sample: BaseDataElement) -> Tensor:
    """Scores, logits or offsets of pixels, bilinear; their values stay as they are.

    Args:
        maps: ``(N, H, W)`` floats of the network's image, with or without its padding.
        sample: With the metainfo ``img_shape`` and ``ori_shape``, (height, width).

    Returns:
        ``(N, *ori_shape)``.
    """
    maps = _unpadded(maps, sample)
    size = tuple(sample.ori_shape)
    if maps.shape[-2:] == size:
        return maps
    resized = F.interpolate(
        maps[:, None], size=size, mode='bilinear', align_corners=False
    )
    return resized[:, 0]


def points_at_original_size(points: Tensor, sample: BaseDataElement) -> Tensor:
    """Points, with the pixels that they lie on.

    Args:
        points: ``(N, 2)`` floats (x, y); the centre of a pixel has integer coordinates.
        sample: With the metainfo ``img_shape`` and ``ori_shape``, (height, width).

    Returns:
        ``(N, 2)``, not beyond the centres of the outermost pixels.

    Example:
        >>> import torch
        >>> from mmengine.structures import BaseDataElement
        >>> sample = BaseDataElement(metainfo=dict(img_shape=(2, 2), ori_shape=(2, 8)))
        >>> points_at_original_size(torch.tensor([[1.0, 1.0]]), sample)
        tensor([[5.5000, 1.0000]])
    """
    before = points.new_tensor(sample.img_shape[1::-1])
    after = points.new_tensor(sample.ori_shape[1::-1])
    moved = (points + 0.5) * (after / before) - 0.5
    return moved.clamp(min=torch.zeros_like(after), max=after - 1)


def _unpadded(maps: Tensor, sample: BaseDataElement) -> Tensor:
    height, width = sample.img_shape[:2]
    return maps[..., :height, :width]
