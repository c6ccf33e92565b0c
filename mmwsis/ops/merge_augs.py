"""Merge test-time augmentations: one prediction from scales and mirror images."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .stride4_grid import stride4_size
from .tensor_checks import (
    as_integer,
    as_size,
    check_finite,
    check_shape,
    full_precision,
    to_full_precision,
)

# Stride of IRNet's classifier.
CELL = 16
MAXIMUM_EPS = 1e-5


def merge_aug_cams(
    logits: Sequence[Tensor], image_size: tuple[int, int], cell: int = CELL
) -> tuple[Tensor, Tensor]:
    r"""Class activation maps (CAMs) from those of scaled and mirrored images.

    Each map is cut off at zero, mirrored back and resized bilinearly; the sum over the
    scales s is divided by its maximum. Eq. 1 of `IRNet
    <https://arxiv.org/abs/1904.05044>`__ gives the CAM of one image; augmentations,
    cut-off and the small constant are the released code's:

    .. math::
        M_c = \frac{S_c}{\max_x S_c(x) + 10^{-5}}, \quad
        S_c = \sum_s \mathrm{resize}\big(\mathrm{ReLU}(\phi_c^\top f_s)
              + \mathrm{mirror}(\mathrm{ReLU}(\phi_c^\top f'_s))\big).

    Give only the classes that are in the image.

    Args:
        logits: For each scale the (2, K, h_s, w_s) CAMs before the cut-off, of the
            image and of its mirror image.
        image_size: (H, W) of the image in pixels.
        cell: Stride of the classifier; ``high_res`` is resized to whole cells, then
            cut. Defaults to 16.

    Returns:
        ``(cam, high_res)``: (K, h, w) on the stride-4 grid
        (:func:`mmwsis.ops.stride4_size`), and (K, H, W), in [0, 1); float64 if the
        logits are, else float32. A class without activation stays zero.

    Raises:
        ValueError: No scale, wrong shapes or sizes, or logits that are not finite.

    Example:
        >>> scales = [torch.rand(2, 3, 2, 3), torch.rand(2, 3, 4, 6)]  # 1 and 2
        >>> cam, high_res = merge_aug_cams(scales, image_size=(30, 41))
        >>> cam.shape, high_res.shape
        (torch.Size([3, 8, 11]), torch.Size([3, 30, 41]))
    """
    if not len(logits):
        raise ValueError('logits: expected one tensor per scale, got none.')
    height, width = as_size('image_size', image_size, 1)
    cell = as_integer('cell', cell, 1)
    classes = 'K'
    for index, pair in enumerate(logits):
        name = f'logits[{index}]'
        check_shape(name, pair, (2, classes, 'h', 'w'), like=logits[0])
        classes = pair.shape[1]
        if not min(pair.shape[2:]):
            raise ValueError(f'{name}: expected maps of pixels, got {(*pair.shape,)}.')
    for index, pair in enumerate(logits):
        # A map of -infinity would be cut off to one of zeros.
        check_finite(f'logits[{index}]', pair, 'The classifier has diverged.')
    whole_cells = [-(-side // cell) * cell for side in (height, width)]
    with torch.no_grad(), full_precision(logits[0]):
        # Both images of a scale share its size: they are summed before resizing.
        maps = []
        for pair in map(to_full_precision, logits):
            image, mirrored = pair.relu()
            maps.append((image + mirrored.flip(-1))[None])  # (1, K, h_s, w_s)
        cam = _resized_sum(maps, stride4_size((height, width)))
        high_res = _resized_sum(maps, whole_cells)[:, :height, :width]
        return _over_maximum(cam), _over_maximum(high_res)


def merge_flipped_cams(
    logits: Tensor, image_size: tuple[int, int], smoothing: int = 3
) -> Tensor:
    r"""Smooth class activation maps (CAMs) from those of an image and its mirror image.

    Unlike :func:`merge_aug_cams`, each map is divided by its own maximum before both
    are averaged, and a mean over k x k pixels follows, in which what is outside the
    image counts as 0 (instance cues of `BESTIE <https://arxiv.org/abs/2109.09477>`__,
    section 3.3; resizing, small constant and mean are the released code's):

    .. math::
        M_c = \mathrm{mean}_{k \times k}\Big(\tfrac{1}{2}\big(N(\phi_c)
              + \mathrm{mirror}(N(\phi'_c))\big)\Big), \quad
        N(\phi) = \frac{\mathrm{resize}(\mathrm{ReLU}(\phi))}
                 {\max \mathrm{resize}(\mathrm{ReLU}(\phi)) + 10^{-5}}.

    Give only the classes that are in the image; :func:`mmwsis.ops.find_peaks` finds the
    cues in the result.

    Args:
        logits: (2, K, h, w) CAMs before the cut-off, of the image and of its mirror
            image.
        image_size: (H, W) of the image in pixels.
        smoothing: Side k of the square of the mean in pixels, odd. Defaults to 3.

    Returns:
        (K, H, W) in [0, 1); float64 if the logits are, else float32.

    Raises:
        ValueError: Wrong shapes or sizes, or logits that are not finite.

    Example:
        >>> logits = torch.zeros(2, 1, 1, 2)
        >>> logits[0, 0, 0, 0] = logits[1, 0, 0, 1] = 8.0  # the same place in both
        >>> merge_flipped_cams(logits, image_size=(1, 2), smoothing=1)
        tensor([[[1.0000, 0.0000]]])
    """
    check_shape('logits', logits, (2, 'K', 'h', 'w'))
    if not min(logits.shape[2:]):
        raise ValueError(f'logits: expected maps of pixels, got {(*logits.shape,)}.')
    check_finite('logits', logits, 'The classifier has diverged.')
    image_size = as_size('image_size', image_size, 1)
    smoothing = as_integer('smoothing', smoothing, 1)
    if smoothing % 2 == 0:
        raise ValueError(f'smoothing: expected an odd integer, got {smoothing}.')
    with torch.no_grad(), full_precision(logits):
        image, mirrored = (
            _over_maximum(_resized_sum([maps[None]], image_size))
            for maps in to_full_precision(logits).relu()
        )
        mean = (image + mirrored.flip(-1)) / 2
        # As a batch of single maps: no map is an empty batch.
        padding = smoothing // 2
        return F.avg_pool2d(mean[:, None], smoothing, stride=1, padding=padding)[:, 0]


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
    r"""Boundary and displacement from IRNet's output for an image and its mirror image.

    Both are padded on the right and at the bottom, so the padding is cut off first. The
    boundary's logits z are averaged; a displacement is that of the image itself (the
    released code of `IRNet <https://arxiv.org/abs/1904.05044>`__):

    .. math::
        \mathcal{B} = \sigma\big(\tfrac{1}{2}(z + \mathrm{mirror}(z'))\big).

    Args:
        edge_logit: (2, 1, gh, gw) boundary before the sigmoid.
        displacement: (1 or 2, 2, gh, gw) ``(dy, dx)`` in pixels of the grid; that of
            the mirror image is not needed.
        grid_size: (h, w) of the grid without padding, at most (gh, gw).

    Returns:
        ``(edge, displacement)``: (1, h, w) probability and (2, h, w); float64 if the
        logits are, else float32, under autocast too.

    Raises:
        ValueError: Wrong shapes, or logits or displacements that are not finite.

    Example:
        >>> edge_logit = torch.tensor([[[[4.0, 0.0, 9.0]]], [[[0.0, 4.0, 9.0]]]])
        >>> edge, displacement = merge_aug_relations(
        ...     edge_logit, torch.zeros(1, 2, 1, 3), grid_size=(1, 2)
        ... )
        >>> edge, displacement.shape
        (tensor([[[0.9820, 0.5000]]]), torch.Size([2, 1, 2]))
    """
    check_shape('edge_logit', edge_logit, (2, 1, 'gh', 'gw'))
    check_shape(
        'displacement', displacement, ('V', 2, *edge_logit.shape[2:]), like=edge_logit
    )
    if not len(displacement):
        raise ValueError('displacement: expected 1 or 2 of them, got none.')
    # The sigmoid of infinity would be a plain boundary.
    check_finite('edge_logit', edge_logit, 'The network has diverged.')
    check_finite('displacement', displacement, 'The network has diverged.')
    height, width = as_size('grid_size', grid_size)
    if not (height <= edge_logit.shape[2] and width <= edge_logit.shape[3]):
        raise ValueError(
            f'grid_size: expected at most {tuple(edge_logit.shape[2:])}, the size of '
            f'the maps, got {(height, width)}.'
        )
    with full_precision(edge_logit):
        image, mirrored = to_full_precision(edge_logit)[..., :height, :width]
        edge = ((image + mirrored.flip(-1)) / 2).sigmoid()
        return edge, to_full_precision(displacement)[0, :, :height, :width]
