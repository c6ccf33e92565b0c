"""Local mean-field refinement of masks by colour: the CRF of MAL (CVPR 2023)."""

import math

import torch
from torch import Tensor

from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_shape,
    check_within,
    full_precision,
    to_full_precision,
)

DENOMINATOR_EPS = 1e-6
LOG2_E = math.log2(math.e)
# One vector register holds at most 64 / 4 numbers; multiples keep every pixel on the
# vectorised path, so that a sample's result does not depend on its place in the batch.
ALIGNMENT = 32
# The centre weighs 1 and |log q| >= 0.1 for q <= 0.9, so a neighbour below this
# weight is lost in rounding; zero instead of a denormal keeps the CPU fast.
NEGLIGIBLE_WEIGHT = 1e-20
# How far resizing in half precision may round a probability out of [0, 1].
ROUNDING = 1e-3


def mean_field_refine(
    image: Tensor,
    prob: Tensor,
    target: Tensor | None,
    num_iters: int = 100,
    zeta: float = 0.1,
    low: float = 0.1,
    high: float = 0.9,
    kernel_size: int = 3,
) -> tuple[Tensor, Tensor]:
    r"""Refine foreground probabilities by mean field over a local colour kernel.

    The CRF of `MAL <https://arxiv.org/abs/2301.03992>`__, in the form of its released
    code; :math:`\mathrm{CRF}(\cdot)` in Eq. 9 of `EXITS
    <https://arxiv.org/abs/2405.20729>`__. A pixel i and its neighbour j in the window,
    i itself included, weigh

    .. math::
        k_{ij} = \exp\Big(-\frac{\sum_c (I_{ic} - I_{jc})^2}{2 \zeta^2}\Big).

    From :math:`q = \mathrm{clamp}(p \cdot t)` with the box t each iteration sets

    .. math::
        f_i = t_i \exp \sum_j k_{ij} \log q_j, \quad
        b_i = \exp \sum_j k_{ij} \log (1 - q_j), \quad
        q_i \leftarrow \mathrm{clamp}\Big(\frac{f_i}{f_i + b_i + 10^{-6}}\Big).

    It stops early once an iteration leaves every q bitwise unchanged: the map has no
    memory, so the result is that of all iterations. No gradient.

    Args:
        image: (B, C, H, W) normalised colours.
        prob: (B, H, W) foreground probability in [0, 1].
        target: (B, H, W) weight of the box in [0, 1], or None for no box.
        num_iters: Number of iterations, at least 0. Defaults to 100.
        zeta: Width of the colour kernel, in units of ``image``. Defaults to 0.1.
        low: Lower clamp of the probability, in (0, high). Defaults to 0.1.
        high: Upper clamp of the probability, in (low, 1). Defaults to 0.9.
        kernel_size: Odd side of the window in pixels. Defaults to 3.

    Returns:
        ``(refined, marginal)``, each (B, H, W): bool ``marginal > 0.5`` and the last
        probability; float64 if ``prob`` is, else float32, under autocast too.

    Raises:
        ValueError: Wrong shapes or settings, colours that are not finite, numbers
            outside [0, 1].

    Example:
        >>> image = torch.tensor([1.0, 1, 1, 0, 0, 0]).view(1, 1, 1, 6)
        >>> prob = torch.tensor([[[0.9, 0.8, 0.4, 0.6, 0.3, 0.2]]])
        >>> refined, marginal = mean_field_refine(image, prob, target=None)
        >>> refined.int()  # now the mask ends where the colour does
        tensor([[[1, 1, 1, 0, 0, 0]]], dtype=torch.int32)
    """
    _check_shapes(image, prob, target)
    check_finite('image', image)
    check_within('prob', prob, 0, 1, ROUNDING)
    if target is not None:
        check_within('target', target, 0, 1, ROUNDING)
    q = mean_field_marginal(
        image, prob, target, num_iters, zeta, low, high, kernel_size
    )
    return q > 0.5, q


def check_settings(
    num_iters: int, zeta: float, low: float, high: float, kernel_size: int
) -> tuple[int, float, float, float, int]:
    """Return the settings of :func:`mean_field_refine`, checked.

    Raises:
        ValueError: Naming the setting and its value.
    """
    num_iters = as_integer('num_iters', num_iters, 0)
    zeta = as_number('zeta', zeta, '(0, inf)')
    high = as_number('high', high, '(0, 1)')
    low = as_number('low', low, f'(0, {high})')
    if as_integer('kernel_size', kernel_size, 1) % 2 == 0:
        raise ValueError(f'kernel_size: expected an odd number, got {kernel_size}.')
    return num_iters, zeta, low, high, as_integer('kernel_size', kernel_size)


def mean_field_marginal(
    image: Tensor,
    prob: Tensor,
    target: Tensor | None,
    num_iters: int,
    zeta: float,
    low: float,
    high: float,
    kernel_size: int,
) -> Tensor:
    """Last probability of :func:`mean_field_refine`, for training.

    Values are not looked at, which would make the host wait for a GPU in every step:
    where they are not finite, the result is NaN.

    Args:
        image: (B, C, H, W) normalised colours.
        prob: (B, H, W) foreground probability in [0, 1].
        target: (B, H, W) weight of the box in [0, 1], or None for no box.
        num_iters: Number of iterations.
        zeta: Width of the colour kernel.
        low: Lower clamp.
        high: Upper clamp.
        kernel_size: Odd side of the window in pixels.

    Returns:
        (B, H, W) probability.

    Raises:
        ValueError: Wrong shapes or settings.
    """
    num_iters, zeta, low, high, kernel_size = check_settings(
        num_iters, zeta, low, high, kernel_size
    )
    _check_shapes(image, prob, target)
    with torch.no_grad(), full_precision(prob):
        q = to_full_precision(prob)
        image = image.to(q.dtype)
        weight = None if target is None else target.to(q.dtype)
        q = q if weight is None else q * weight
        # 0, or NaN where a number is not finite, which the clamp would hide.
        spoilt = (q - q).add_((image - image).sum(1))
        q = q.clamp(low, high).add_(spoilt)
        if q.numel() and num_iters:
            kernels, offsets = _colour_kernels(image, zeta, kernel_size)
            q = _iterate(q, weight, kernels, offsets, num_iters, (low, high))
    return q


def _check_shapes(image: Tensor, prob: Tensor, target: Tensor | None) -> None:
    check_shape('image', image, ('B', 'C', 'H', 'W'))
    batch, _, height, width = image.shape
    check_shape('prob', prob, (batch, height, width), like=image)
    if target is not None:
        check_shape('target', target, (batch, height, width), like=image)


def _colour_kernels(
    image: Tensor, zeta: float, kernel_size: int
) -> tuple[Tensor, list[int]]:
    """Return (taps, B * H * W) weights and the offset of each tap in flat pixels.

    The centre is left out. Weights of neighbours outside the image are zero, so a
    flat offset that wraps to another row or image adds nothing.
    """
    batch, _, height, width = image.shape
    # No tap of a large window reaches across a small image.
    rows = min(kernel_size // 2, height - 1)
    cols = min(kernel_size // 2, width - 1)
    # One tap of each opposite pair; the mirror images follow in every second row.
    taps = [
        (dy, dx)
        for dy in range(rows + 1)
        for dx in range(-cols, cols + 1)
        if (dy, dx) > (0, 0)
    ]
    # Within the numbers of the type, so that equal colours weigh 1 for any width.
    factor = -0.5 / max(zeta * zeta, 1 / torch.finfo(image.dtype).max)
    pixels = batch * height * width
    padded = -(-pixels // ALIGNMENT) * ALIGNMENT
    kernels = image.new_zeros(2 * len(taps), padded)
    offsets = []
    for index, (dy, dx) in enumerate(taps):
        # Weights are symmetric: one difference serves a tap and its mirror image.
        here, there = _overlap(height, width, dy, dx)
        squared = (image[here] - image[there]).square_().sum(1)  # (B, H - dy, W - |dx|)
        weight = squared.mul_(factor).exp_()
        weight.masked_fill_(weight < NEGLIGIBLE_WEIGHT, 0)
        for tap, region in ((2 * index, here), (2 * index + 1, there)):
            plane = kernels[tap, :pixels].view(batch, 1, height, width)
            plane[region] = weight.unsqueeze(1)
        offset = dy * width + dx
        offsets += [offset, -offset]
    return kernels, offsets


def _overlap(
    height: int, width: int, dy: int, dx: int
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the pixels that have a neighbour at (dy, dx), and those neighbours."""
    everything = slice(None)
    here = (
        everything,
        everything,
        slice(max(0, -dy), max(0, height - max(0, dy))),
        slice(max(0, -dx), max(0, width - max(0, dx))),
    )
    there = (
        everything,
        everything,
        slice(max(0, dy), max(0, height + min(0, dy))),
        slice(max(0, dx), max(0, width + min(0, dx))),
    )
    return here, there


def _iterate(
    q: Tensor,
    weight: Tensor | None,
    kernels: Tensor,
    offsets: list[int],
    num_iters: int,
    clamp: tuple[float, float],
) -> Tensor:
    """Run the fixed-point iteration on flat, aligned buffers.

    Args:
        q: (B, H, W) clamped probability to start from.
        weight: (B, H, W) box, or None.
        kernels: (taps, padded) weights, ``padded`` at least B * H * W.
        offsets: Offset of each tap in flat pixels.
        num_iters: At least 1.
        clamp: Lower and upper bound of the probability.

    Returns:
        (B, H, W) last probability.
    """
    pixels, padded = q.numel(), kernels.shape[1]
    reach = max(map(abs, offsets), default=0)
    margin = -(-reach // ALIGNMENT) * ALIGNMENT
    # Rows log q and log(1 - q) between margins, so that the neighbours of all pixels by
    # one tap are one shifted view, (2, padded), also those of the first and last ones.
    logs = q.new_zeros(2, margin + padded + margin)
    centre = logs[:, margin : margin + padded]
    shifted = [
        logs[:, margin + offset : margin + offset + padded] for offset in offsets
    ]
    # What is added behind the pixels has neighbours of weight zero, and stays finite.
    state = q.new_full((padded,), clamp[0])
    state[:pixels] = q.flatten()
    if weight is not None:
        box = q.new_zeros(padded)
        box[:pixels] = weight.flatten()
    updated = torch.empty_like(state)
    energy = logs.new_empty(2, padded)
    log_q, log_not_q = centre
    # PyTorch's log1p and exp2 run on vector registers and are two to four times as fast
    # as its log and exp on the CPU, so the kernels carry the change to base 2.
    kernels = kernels * LOG2_E
    check_every = 1 if q.device.type == 'cpu' else 10
    for iteration in range(1, num_iters + 1):
        # log q = log1p(q - 1) and log(1 - q) = log1p(-q).
        torch.sub(state, 1, out=log_q)
        torch.neg(state, out=log_not_q)
        log_q.log1p_()
        log_not_q.log1p_()
        # sum_j k_ij log q_j: the pixel itself with weight 1, then one tap at a time.
        torch.mul(centre, LOG2_E, out=energy)
        for kernel, neighbour in zip(kernels, shifted):
            energy.addcmul_(kernel, neighbour)
        # q = clamp(f / (f + b + eps)), with the box in f.
        foreground, background = energy.exp2_()
        if weight is not None:
            foreground.mul_(box)
        background.add_(foreground).add_(DENOMINATOR_EPS)
        torch.div(foreground, background, out=updated).clamp_(*clamp)
        state, updated = updated, state
        if iteration % check_every == 0 and torch.equal(state, updated):
            break
    return state[:pixels].view(q.shape)
