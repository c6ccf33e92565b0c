"""One prediction from several views of an image: scales and mirror images."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .stride4_grid import stride4_size
from .tensor_checks import check_shape, full_precision, to_full_precision

# Stride of IRNet's classifier.
CELL = 16
MAXIMUM_EPS = 1e-5


def merge_aug_cams(
    logits: Sequence[Tensor], image_size: tuple[int, int], cell: int = CELL
) -> tuple[Tensor, Tensor]:
    """Class activation maps from those of scaled and mirrored views.

    Each view's map is cut off at zero, mirrored back and resized bilinearly; the sum
    over the views is divided by its maximum plus 1e-5 (IRNet, CVPR 2019). Give only
    the classes that are in the image.

    Args:
        logits: For each scale the (2, K, h_s, w_s) class maps before the cut-off, of
            the image and of its mirror image.
        image_size: (H, W) of the image in pixels.
        cell: Stride of the classifier; ``high_res`` is resized to whole cells, then
            cut.

    Returns:
        ``(cam, high_res)``: (K, h, w) with h = (H - 1) // 4 + 1, and (K, H, W), in
        [0, 1); float64 if the logits are, else float32. A class without activation
        stays zero.

    Raises:
        ValueError: No scale, or wrong shapes.
    """
    if not logits:
        raise ValueError('logits: expected one tensor a scale, got none.')
    classes = logits[0].shape[1] if logits[0].ndim == 4 else 'K'
    for index, views in enumerate(logits):
        check_shape(f'logits[{index}]', views, (2, classes, 'h', 'w'))
    height, width = image_size
    cells = [-(-side // cell) * cell for side in image_size]
    with torch.no_grad(), full_precision(logits[0]):
        maps = []
        for views in map(to_full_precision, logits):
            image, mirrored = views.relu()
            maps.append((image + mirrored.flip(-1))[None])
        cam = _resized_sum(maps, stride4_size(image_size))
        high_res = _resized_sum(maps, cells)[:, :height, :width]
        return _over_maximum(cam), _over_maximum(high_res)


def _resized_sum(maps: list[Tensor], size: Sequence[int]) -> Tensor:
    if not maps[0].shape[1]:
        return maps[0].new_zeros(0, *size)
    resized = (
        F.interpolate(one, size=tuple(size), mode='bilinear', align_corners=False)
        for one in maps
    )
    return sum(resized)[0]


def _over_maximum(maps: Tensor) -> Tensor:
    if not maps.numel():
        return maps
    return maps / (maps.amax((1, 2), keepdim=True) + MAXIMUM_EPS)


def merge_aug_relations(
    edge_logit: Tensor, displacement: Tensor, grid_size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Boundary and displacement from IRNet's output for an image and its mirror image.

    Both views are padded on the right and at the bottom, so the padding is cut off
    first. The boundary's logits are averaged; a displacement is that of the image
    itself.

    Args:
        edge_logit: (2, 1, gh, gw) boundary before the sigmoid.
        displacement: (1 or 2, 2, gh, gw) ``(dy, dx)`` in pixels of the grid; that of
            the mirror image is not needed.
        grid_size: (h, w) of the grid without padding, at most (gh, gw).

    Returns:
        ``(edge, displacement)``: (1, h, w) probability and (2, h, w); float64 if the
        logits are, else float32, under autocast too.

    Raises:
        ValueError: Wrong shapes.
    """
    check_shape('edge_logit', edge_logit, (2, 1, 'gh', 'gw'))
    check_shape('displacement', displacement, ('V', 2, *edge_logit.shape[2:]))
    height, width = grid_size
    if not (height <= edge_logit.shape[2] and width <= edge_logit.shape[3]):
        raise ValueError(
            f'grid_size: expected at most {tuple(edge_logit.shape[2:])}, the size of '
            f'the maps, got {(height, width)}.'
        )
    with full_precision(edge_logit):
        image, mirrored = to_full_precision(edge_logit)[..., :height, :width]
        edge = ((image + mirrored.flip(-1)) / 2).sigmoid()
        return edge, to_full_precision(displacement)[0, :, :height, :width]
