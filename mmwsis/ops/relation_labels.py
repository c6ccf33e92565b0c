"""Labels that class maps are sure of: the targets of IRNet."""

import torch
from torch import Tensor

from .dense_crf import crf_refine_labels
from .tensor_checks import check_shape

UNSURE = 255


def threshold_argmax(maps: Tensor, threshold: float) -> Tensor:
    """Strongest class of every pixel, or none.

    Args:
        maps: ``(K, H, W)``; K may be 0.
        threshold: Value of the background; it wins ties, as does the earlier class.

    Returns:
        ``(H, W)`` int64: 0 background, ``k + 1`` the ``k``-th map.
    """
    background = maps.new_full((1, *maps.shape[1:]), threshold)
    return torch.cat([background, maps]).argmax(0)


def combine_sure_labels(foreground: Tensor, background: Tensor) -> Tensor:
    """Keep what two label maps are sure of (IRNet, released code).

    Args:
        foreground: ``(H, W)`` class ids from a high threshold; trusted where positive.
        background: ``(H, W)`` class ids from a low threshold; where both are 0 there is
            background.

    Returns:
        ``(H, W)`` uint8: 0 background, positive class ids, 255 elsewhere.

    Examples:
        >>> combine_sure_labels(torch.tensor([[0, 5, 0]]), torch.tensor([[0, 5, 5]]))
        tensor([[  0,   5, 255]], dtype=torch.uint8)
    """
    unsure = (foreground == 0) & (background != 0)
    return foreground.masked_fill(unsure, UNSURE).to(torch.uint8)


def relation_labels(
    image: Tensor,
    maps: Tensor,
    labels: Tensor,
    foreground_threshold: float = 0.30,
    background_threshold: float = 0.05,
    crf: str = 'irnet',
) -> Tensor:
    """Inter-pixel relation labels of one image (IRNet, CVPR 2019, section 4.2).

    Class maps are cut at a high and at a low threshold, a dense CRF refines both, and
    only what they are sure of is kept.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        maps: ``(K, H, W)`` class maps in [0, 1]; K may be 0.
        labels: ``(K,)`` classes of the maps, from 0, at most 253.
        foreground_threshold: Of the map that says where objects are.
        background_threshold: Of the map that says where none are.
        crf: Parameters of the CRF by name; see ``mmwsis.ops.dense_crf``.

    Returns:
        ``(H, W)`` uint8: 0 sure background, ``k + 1`` sure class ``k``, 255 unsure.

    Raises:
        ValueError: Shapes that do not fit.
    """
    check_shape('image', image, ('H', 'W', 3))
    check_shape('maps', maps, (len(labels), *image.shape[:2]))
    if not len(labels):  # the CRF's energy would divide by no other label
        return image.new_zeros(image.shape[:2], dtype=torch.uint8)
    ids = torch.cat([labels.new_zeros(1), labels + 1])
    thresholds = foreground_threshold, background_threshold
    cuts = torch.stack([threshold_argmax(maps, value) for value in thresholds])
    foreground, background = ids[crf_refine_labels(image, cuts, len(ids), preset=crf)]
    return combine_sure_labels(foreground, background)
