"""Grad-CAM: where a classifier sees a class, and the label map of several classes."""

import torch
from torch import Tensor

from .crop_grid import IGNORE_INDEX
from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_floating,
    check_integers,
    check_shape,
    full_precision,
    to_full_precision,
)


@torch.no_grad()  # a map to look at or to threshold; no loss reads it
def grad_cam(features: Tensor, gradients: Tensor) -> Tensor:
    r"""Weight the channels of a feature map by their gradients, and rectify.

    `Grad-CAM <https://arxiv.org/abs/1610.02391>`__ (Selvaraju et al., ICCV 2017, Eqs. 1
    and 2), by which `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., section 3.3) finds the classes of
    an image's tags. For the logit :math:`y_c` and the channels :math:`A_k` of size
    (h, w):

    .. math::
        \alpha_k^c = \frac{1}{hw} \sum_x \frac{\partial y_c}{\partial A_k(x)}, \qquad
        L_c(x) = \max\Big(0, \sum_k \alpha_k^c A_k(x)\Big).

    Args:
        features: (K, h, w), floating point. Half precision is computed in float32.
        gradients: (C, K, h, w), of each of C logits with respect to ``features``.

    Returns:
        (C, h, w), >= 0, without a graph.

    Raises:
        TypeError: Integers.
        ValueError: Wrong shapes, or numbers that are not finite.

    Example:
        >>> features = torch.tensor([[[1.0, 2.0]], [[3.0, 0.0]]])
        >>> weight = torch.tensor([[1.0, -1.0], [0.0, 2.0]])
        >>> # Mean pooling and a linear classifier: the gradient is weight / (h w).
        >>> gradients = weight[:, :, None, None].expand(2, 2, 1, 2) / 2
        >>> grad_cam(features, gradients)
        tensor([[[0., 1.]],
        <BLANKLINE>
                [[3., 0.]]])
    """
    check_shape('features', features, ('K', 'h', 'w'))
    check_shape('gradients', gradients, ('C', *features.shape), like=features)
    for name, tensor in (('features', features), ('gradients', gradients)):
        check_floating(name, tensor)
        check_finite(name, tensor)
    if not gradients.numel():
        return gradients.new_zeros(len(gradients), *features.shape[1:])
    with full_precision(features):  # autocast would round the product
        weights = to_full_precision(gradients).mean((2, 3))
        heat = weights @ to_full_precision(features).flatten(1)
    return heat.relu().unflatten(1, features.shape[1:])


def gradcam_label_map(
    heat: Tensor,
    labels: Tensor,
    threshold: float = 0.5,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    r"""Make one label map of the heat maps of the classes in an image.

    A class covers what reaches a share of its own maximum; where several do, the one
    that covers least wins, and of equals the earlier one (`Li et al.
    <https://arxiv.org/abs/1808.03575>`__, section 3.3):

    .. math::
        M_c = \{x : L_c(x) \ge t \max_{x'} L_c(x')\}, \qquad
        l(x) = \arg\min_{c :\, x \in M_c} |M_c|.

    Args:
        heat: (K, H, W), floating point; what is negative counts as 0. A class that is
            nowhere positive covers nothing. Half precision is compared in float32.
        labels: (K,) integers, the classes that are present.
        threshold: Share of the maximum t, 0 to 1: 0.5 is the paper's for Cityscapes,
            0.15 that of Grad-CAM. Defaults to 0.5.
        ignore_index: Label where no class is. Defaults to 255.

    Returns:
        (H, W) int64.

    Raises:
        TypeError: Heat of integers, or labels that are none.
        ValueError: Wrong shapes, numbers that are not finite, or ``threshold`` out of
            range.

    Example:
        >>> heat = torch.tensor([[[1.0, 0.6, 0.5, 0.4, 0.0, 0.0]],
        ...                      [[0.0, 0.0, 0.9, 1.0, 0.2, 0.0]]])
        >>> gradcam_label_map(heat, torch.tensor([0, 2]))
        tensor([[  0,   0,   2,   2, 255, 255]])
    """
    check_shape('heat', heat, ('K', 'H', 'W'))
    check_floating('heat', heat)
    check_shape('labels', labels, (len(heat),), like=heat)
    check_integers('labels', labels)
    check_finite('heat', heat)
    threshold = as_number('threshold', threshold, '[0, 1]')
    ignore_index = as_integer('ignore_index', ignore_index)
    label_map = torch.full(heat.shape[1:], ignore_index, device=heat.device)
    if not heat.numel():
        return label_map
    heat = to_full_precision(heat).relu()
    highest = heat.amax((1, 2), keepdim=True)
    # A class that is found nowhere reaches infinity nowhere.
    covered = heat >= (threshold * highest).masked_fill(highest <= 0, torch.inf)
    areas = covered.flatten(1).count_nonzero(1)
    smallest_last = areas.argsort(stable=True).flip(0)
    for index in smallest_last.tolist():
        label_map.masked_fill_(covered[index], int(labels[index]))
    return label_map
