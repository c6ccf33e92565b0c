"""Affinity labels from CAMs: the targets of IRNet (CVPR 2019, section 4.2).

Configs and folders call them relation labels, after the paper's inter-pixel relations.
"""

import torch
from torch import Tensor

from .crf_kernels import resolve_kernels
from .dense_crf import crf_refine_labels
from .tensor_checks import (
    as_number,
    check_finite,
    check_integers,
    check_shape,
    check_within,
)

IGNORE_INDEX = 255
# Class k is k + 1 in an 8-bit map, whose last value is to be ignored.
MAX_CLASS = IGNORE_INDEX - 2


def threshold_argmax(maps: Tensor, threshold: float) -> Tensor:
    """Strongest class of every pixel, or none.

    Args:
        maps: (K, H, W); K may be 0.
        threshold: Value of the background; it wins ties, as does the earlier class.

    Returns:
        (H, W) int64: 0 background, ``k + 1`` the ``k``-th map.

    Raises:
        ValueError: Wrong shape, or numbers that are not finite.

    Example:
        >>> threshold_argmax(torch.tensor([[[0.1, 0.6, 0.4]], [[0.2, 0.3, 0.5]]]), 0.3)
        tensor([[0, 1, 2]])
    """
    check_shape('maps', maps, ('K', 'H', 'W'))
    threshold = as_number('threshold', threshold)
    check_finite('maps', maps)
    if not maps.is_floating_point():  # the threshold is a fraction
        maps = maps.float()
    background = maps.new_full((1, *maps.shape[1:]), threshold)
    return torch.cat([background, maps]).argmax(0)


def combine_confident_labels(foreground: Tensor, background: Tensor) -> Tensor:
    """Keep what one of two label maps is confident of (IRNet's released code).

    Args:
        foreground: (H, W) class ids from a high threshold; trusted where positive.
        background: (H, W) class ids from a low threshold; where both are 0 there is
            background.

    Returns:
        (H, W) uint8: 0 background, positive class ids, 255 (ignore) elsewhere.

    Raises:
        TypeError: Ids that are no integers.
        ValueError: Shapes differ, or an id that does not fit 8 bits beside 255.

    Example:
        >>> cuts = torch.tensor([[[0, 5, 0]], [[0, 5, 5]]])
        >>> combine_confident_labels(*cuts)
        tensor([[  0,   5, 255]], dtype=torch.uint8)
    """
    check_shape('foreground', foreground, ('H', 'W'))
    check_shape('background', background, tuple(foreground.shape), like=foreground)
    for name, ids in (('foreground', foreground), ('background', background)):
        check_integers(name, ids)
        check_within(name, ids, 0, MAX_CLASS + 1)
    doubtful = (foreground == 0) & (background != 0)
    return foreground.to(torch.uint8).masked_fill(doubtful, IGNORE_INDEX)


def relation_labels(
    image: Tensor,
    maps: Tensor,
    labels: Tensor,
    foreground_threshold: float = 0.30,
    background_threshold: float = 0.05,
    crf: str = 'irnet',
) -> Tensor:
    r"""Affinity labels of one image: the confident pixels of its CAMs.

    The CAMs are cut at a high and at a low threshold, a dense CRF refines both cuts,
    and only what they are confident of is kept (section 4.2 of `IRNet
    <https://arxiv.org/abs/1904.05044>`__):

    .. math::
        F = \mathrm{CRF}(\arg\max(\tau_{fg}, M_1, \dots, M_K)), \quad
        B = \mathrm{CRF}(\arg\max(\tau_{bg}, M_1, \dots, M_K)),

    foreground where :math:`F > 0`, background where :math:`F = B = 0`, else ignored.
    The pairs of labelled pixels are the paper's :math:`\mathcal{P}^+` and
    :math:`\mathcal{P}^-` (Eq. 3 and 4).

    Args:
        image: (H, W, 3) uint8 RGB.
        maps: (K, H, W) CAMs in [0, 1]; K may be 0.
        labels: (K,) classes of the maps, from 0, at most 253.
        foreground_threshold: Of the cut that says where objects are. Defaults to 0.30.
        background_threshold: Of the cut that says where none are, not above the other.
            Defaults to 0.05.
        crf: Parameters of the CRF by name, see :data:`mmwsis.ops.CRF_PRESETS`. Defaults
            to 'irnet'.

    Returns:
        (H, W) uint8: 0 background, ``k + 1`` class ``k``, 255 ignore.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Shapes that do not fit, classes above 253, maps that are not finite,
            thresholds outside [0, 1] or reversed, or an unknown CRF.

    Example:
        >>> grey = torch.tensor([250, 250, 250, 120, 120, 120, 0, 0, 0])
        >>> image = grey.byte().view(1, 9, 1).repeat(4, 1, 3)
        >>> cam = torch.tensor([0.9] * 3 + [0.2] * 3 + [0.0] * 3).expand(1, 4, 9)
        >>> relation_labels(image, cam, torch.tensor([7]))[0]
        tensor([  8,   8,   8, 255, 255, 255,   0,   0,   0], dtype=torch.uint8)
    """
    high = as_number('foreground_threshold', foreground_threshold, '[0, 1]')
    low = as_number('background_threshold', background_threshold, f'[0, {high}]')
    kernels = resolve_kernels(crf)
    check_shape('image', image, ('H', 'W', 3))
    check_shape('maps', maps, ('K', 'H', 'W'))
    check_shape('labels', labels, (len(maps),), like=maps)
    check_integers('labels', labels)
    check_within('labels', labels, 0, MAX_CLASS)
    check_shape('maps', maps, (len(maps), *image.shape[:2]))
    if not len(labels):  # the CRF's energy would divide by no other label
        return image.new_zeros(image.shape[:2], dtype=torch.uint8)
    # The CRF's labels as ids of the map, (K + 1,).
    ids = torch.cat([labels.new_zeros(1), labels]).long()
    ids[1:] += 1
    # Both cuts go through the CRF together, (2, H, W): they share the image's lattice.
    cuts = torch.stack([threshold_argmax(maps, value) for value in (high, low)])
    refined = crf_refine_labels(image, cuts, len(ids), preset=kernels)
    foreground, background = ids[refined]
    return combine_confident_labels(foreground, background)
