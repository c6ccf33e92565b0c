"""Peaks of class response maps, and logits that are learnt at them alone."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .tensor_checks import check_floating, check_shape, to_full_precision
from .window_maximum import as_kernel_size


def stimulation_peaks(maps: Tensor, kernel_size: int = 3) -> Tensor:
    """Pixels that are the first maximum of their window and no less than the median.

    The peaks of `peak response maps <https://arxiv.org/abs/1804.00880>`__ (section
    3.1), from which `WISE <https://arxiv.org/abs/1906.06392>`__ takes points where
    there are tags alone. :func:`mmwsis.ops.find_peaks` keeps every one of equal
    neighbours; here, as in the released code, the first in row-major order counts.
    Of an even number of pixels the median is the lower one of the two in the middle.

    Args:
        maps: (B, C, H, W), floating point.
        kernel_size: Side of the square window in pixels, odd; it is clipped at the
            borders. Defaults to 3.

    Returns:
        (B, C, H, W) bool, at least one pixel of every map.

    Raises:
        TypeError: Integers.
        ValueError: Another number of dimensions, maps without pixels, or an even
            window.

    Example:
        >>> maps = torch.tensor([[[[4.0, 1.0, 3.0, 3.0, 0.0, 0.5]]]])
        >>> stimulation_peaks(maps)[0, 0, 0].tolist()
        [True, False, True, False, False, False]
    """
    check_shape('maps', maps, ('B', 'C', 'H', 'W'))
    check_floating('maps', maps)
    kernel_size = as_kernel_size(kernel_size)
    height, width = maps.shape[2:]
    if not height * width:
        raise ValueError(f'maps: expected pixels, got shape {tuple(maps.shape)}.')
    # The pooling takes the first of equal values if rows follow each other in memory.
    maps = to_full_precision(maps.detach()).contiguous()
    if not maps.numel():
        return torch.zeros_like(maps, dtype=torch.bool)
    _, first = F.max_pool2d(
        maps, kernel_size, stride=1, padding=kernel_size // 2, return_indices=True
    )
    own = torch.arange(height * width, device=maps.device).view(height, width)
    median = maps.flatten(2).median(dim=2).values[..., None, None]
    return (first == own) & (maps >= median)


def peak_stimulation(maps: Tensor, kernel_size: int = 3) -> Tensor:
    r"""Mean of the peaks of every map, learnt at every peak in full.

    `Peak response maps <https://arxiv.org/abs/1804.00880>`__, Eq. 1, with the peaks
    :math:`P_c` of :func:`stimulation_peaks`:

    .. math::
        z_c = \frac{1}{|P_c|} \sum_{p \in P_c} M_c(p), \qquad
        \frac{\partial L}{\partial M_c(p)} := \frac{\partial L}{\partial z_c}
            \; [p \in P_c]

    The gradient is not divided by the number of peaks, as in the released code, so it
    is no derivative of the mean.

    Args:
        maps: (B, C, H, W), floating point; half precision is computed in float32.
        kernel_size: Side of the square window in pixels, odd. Defaults to 3.

    Returns:
        Logits (B, C) of the same type.

    Raises:
        TypeError: Integers.
        ValueError: Another number of dimensions, maps without pixels, or an even
            window.

    Example:
        >>> maps = torch.tensor([[[[4.0, 1.0, 3.0, 0.0]]]], requires_grad=True)
        >>> logits = peak_stimulation(maps)
        >>> logits.sum().backward()
        >>> logits.item(), maps.grad[0, 0, 0].tolist()
        (3.5, [1.0, 0.0, 1.0, 0.0])
    """
    return _MeanOfPeaks.apply(maps, stimulation_peaks(maps, kernel_size))


class _MeanOfPeaks(torch.autograd.Function):
    """Mean where ``peaks`` is True; gradients go to the peaks as they are."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, peaks: Tensor) -> Tensor:
        ctx.save_for_backward(peaks)
        values = to_full_precision(maps) * peaks
        return (values.sum((2, 3)) / peaks.sum((2, 3))).to(maps.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (peaks,) = ctx.saved_tensors
        return grad[..., None, None] * peaks, None
