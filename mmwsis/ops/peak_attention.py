"""Peak attention: an activation that keeps the peaks of every channel."""

import torch
from torch import Tensor

from .tensor_checks import as_number, check_floating, check_shape, to_full_precision


def peak_attention(features: Tensor, alpha: float = 0.7) -> Tensor:
    r"""Rectify, and set to zero what is low compared with its channel's maximum.

    The peak attention module of `BESTIE <https://arxiv.org/abs/2109.09477>`__ (section
    3.3, figure 4) without parameters: the selector takes the maximum of a channel, the
    controller multiplies it by a constant, the peak stimulator lets pass what reaches
    the product:

    .. math::
        Y_k(x) = \begin{cases}
            R_k(x) & \text{if } R_k(x) \ge \alpha \max_{x'} R_k(x') \\
            0 & \text{else} \end{cases}, \qquad R = \mathrm{ReLU}(X).

    The gradient of what is kept and positive is the identity, that of everything else
    0; none flows through the maximum. One comparison per number, of which one byte is
    kept for the backward pass.

    Args:
        features: (B, K, h, w), floating point. A product of half precision is compared
            in float32, so that autocast decides no differently.
        alpha: Share of the maximum, 0 to 1: 0 is the plain ReLU, 1 keeps the maxima
            alone. Defaults to 0.7.

    Returns:
        (B, K, h, w) of the same type.

    Raises:
        TypeError: Integers.
        ValueError: Another number of dimensions, or ``alpha`` out of range.

    Example:
        >>> channel = torch.tensor([[[[-1.0, 2.0], [1.4, 3.0]]]])
        >>> peak_attention(channel, alpha=0.5)
        tensor([[[[0., 2.],
                  [0., 3.]]]])
    """
    check_shape('features', features, ('B', 'K', 'h', 'w'))
    check_floating('features', features)
    alpha = as_number('alpha', alpha, '[0, 1]')
    if not features.numel():
        return features.relu()
    with torch.no_grad():
        maximum = to_full_precision(features.amax((2, 3), keepdim=True)).relu()
        # NaN is on neither side of a bound, so it stays.
        low = (features < alpha * maximum) | (features <= 0)
    return features.masked_fill(low, 0)
