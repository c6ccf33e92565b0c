"""Overlapping crops that cover an image, and what they say together."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .tensor_checks import (
    as_labels,
    as_size,
    check_integers,
    check_shape,
    check_within,
)

IGNORE_INDEX = 255


def crop_grid(image_size: tuple[int, int], crop_size: tuple[int, int]) -> Tensor:
    r"""Boxes of equal crops that cover an image with as little overlap as possible.

    For a side of length L and crops of length l, after the released code of
    `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018):

    .. math::
        n = \lceil L / l \rceil, \quad o = \Big\lceil\frac{n l - L}{n - 1}\Big\rceil,
        \quad x_j = j (l - o).

    As the overlap o is rounded up, up to n - 2 pixels at the far border may be in no
    crop.

    Args:
        image_size: (H, W) in pixels.
        crop_size: (h, w), at most ``image_size``.

    Returns:
        (N, 4) int64 boxes ``(x1, y1, x2, y2)``, half-open, column after column.

    Raises:
        ValueError: No sizes, or a crop that is larger than the image.

    Example:
        >>> boxes = crop_grid((1024, 2048), (400, 500))
        >>> len(boxes), boxes[:, 0].unique().tolist(), boxes[:, 1].unique().tolist()
        (15, [0, 387, 774, 1161, 1548], [0, 312, 624])
    """
    image_size = as_size('image_size', image_size, 1)
    height, width = as_size('crop_size', crop_size, 1)
    if height > image_size[0] or width > image_size[1]:
        raise ValueError(
            f'crop_size: expected at most the size of the image, {image_size}, got '
            f'{(height, width)}.'
        )
    y, x = (torch.tensor(_starts(*sides)) for sides in zip(image_size, (height, width)))
    x, y = torch.meshgrid(x, y, indexing='ij')
    return torch.stack([x, y, x + width, y + height], dim=-1).flatten(0, 1)


def merge_crop_labels(
    crops: Tensor,
    boxes: Tensor,
    image_size: tuple[int, int],
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """Join label maps of crops: a label stays where all crops agree on it.

    Args:
        crops: (N, h, w) integers, the labels of each crop.
        boxes: (N, 4) half-open boxes ``(x1, y1, x2, y2)`` of size (h, w) in the image,
            such as those of :func:`crop_grid`.
        image_size: (H, W) in pixels.
        ignore_index: Label where crops differ or none is. Defaults to 255.

    Returns:
        (H, W), of the crops' type.

    Raises:
        TypeError: Labels or boxes that are no integers.
        ValueError: Wrong shapes, or a box that leaves the image.

    Example:
        >>> crops = torch.tensor([[[1, 2, 3]], [[2, 4, 4]]])
        >>> boxes = torch.tensor([[0, 0, 3, 1], [1, 0, 4, 1]])
        >>> merge_crop_labels(crops, boxes, image_size=(1, 5))
        tensor([[  1,   2, 255,   4, 255]])
    """
    check_shape('crops', crops, ('N', 'h', 'w'))
    image_size = as_size('image_size', image_size)
    crops, ignore_index = as_labels('crops', crops, ignore_index)
    windows = _windows(boxes, image_size, crops)
    limits = torch.iinfo(crops.dtype)
    # Least and largest label of the crops over each pixel; the least is larger where
    # there is none.
    least = crops.new_full(image_size, limits.max)
    largest = crops.new_full(image_size, limits.min)
    for crop, window in zip(crops, windows):
        torch.minimum(least[window], crop, out=least[window])
        torch.maximum(largest[window], crop, out=largest[window])
    return least.masked_fill(least != largest, ignore_index)


def keep_allowed_labels(
    labels: Tensor, allowed: Tensor, boxes: Tensor, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Ignore the labels that a crop over them does not allow.

    Args:
        labels: (H, W) integers below C, or ``ignore_index``.
        allowed: (N, C) bool, whether each crop may hold each class: its tags.
        boxes: (N, 4) half-open boxes ``(x1, y1, x2, y2)`` in the image, such as those
            of :func:`crop_grid`.
        ignore_index: Label of the pixels that are ignored. Defaults to 255.

    Returns:
        (H, W) of the labels' type. What is in no crop stays as it is.

    Raises:
        TypeError: Labels, tags or boxes that are no integers.
        ValueError: Wrong shapes, labels that are no class, or a box that leaves the
            image.

    Example:
        >>> labels, boxes = torch.tensor([[0, 1, 1]]), crop_grid((1, 3), (1, 2))
        >>> allowed = torch.tensor([[True, True], [True, False]])
        >>> keep_allowed_labels(labels, allowed, boxes)
        tensor([[  0, 255, 255]])
    """
    check_shape('labels', labels, ('H', 'W'))
    labels, ignore_index = as_labels('labels', labels, ignore_index)
    check_shape('allowed', allowed, ('N', 'C'), like=labels)
    check_integers('allowed', allowed)
    windows = _windows(boxes, tuple(labels.shape), allowed)
    ignored = labels == ignore_index
    num_classes = allowed.shape[1]
    check_within('labels', labels[~ignored], 0, num_classes - 1)
    # Ignored pixels read one more column, which every crop allows.
    index = labels.long().masked_fill(ignored, num_classes)
    allowed = torch.cat([allowed.bool(), allowed.new_ones(len(allowed), 1).bool()], 1)
    for tags, window in zip(allowed, windows):
        ignored[window] |= ~tags[index[window]]
    return labels.masked_fill(ignored, ignore_index)


def _starts(side: int, crop: int) -> list[int]:
    count = -(-side // crop)
    overlap = -(-(count * crop - side) // (count - 1)) if count > 1 else 0
    return [index * (crop - overlap) for index in range(count)]


def _windows(
    boxes: Tensor, image_size: Sequence[int], crops: Tensor
) -> list[tuple[slice, slice]]:
    """Return the boxes as indices of an image, one for each of the crops."""
    check_shape('boxes', boxes, (len(crops), 4))
    check_integers('boxes', boxes)
    height, width = image_size
    windows = []
    for index, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        if not (0 <= x1 <= x2 <= width and 0 <= y1 <= y2 <= height):
            raise ValueError(
                f'boxes[{index}]: expected (x1, y1, x2, y2) within the image of '
                f'{(height, width)}, got {(x1, y1, x2, y2)}.'
            )
        if crops.ndim == 3 and (y2 - y1, x2 - x1) != tuple(crops.shape[1:]):
            raise ValueError(
                f'boxes[{index}]: expected the size of its crop, '
                f'{tuple(crops.shape[1:])}, got {(y2 - y1, x2 - x1)}.'
            )
        windows.append((slice(y1, y2), slice(x1, x2)))
    return windows
