r"""Numerators of IRNet's displacement losses (CVPR 2019, section 4.3, Eq. 5 and 6)."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmwsis.ops.path_affinity import flat_pairs
from mmwsis.ops.pixel_paths import pixel_directions

from .pixel_pairs import BG_POS, FG_POS, PairEnds


class DisplacementDistance(torch.autograd.Function):
    r"""A displacement field to its two sums of L1 distances.

    .. math::
        \sum_{(i, j) \in P^+_{bg}} \lVert \delta(i, j) \rVert_1, \qquad
        \sum_{(i, j) \in P^+_{fg}} \lVert \delta(i, j) - \hat\delta(i, j) \rVert_1

    with :math:`\delta(i, j) = D(x_i) - D(x_j)` and
    :math:`\hat\delta(i, j) = x_j - x_i`.

    The gradient is made by hand because autograd would keep the signs of all pairs:
    two numbers for each of the 152 directions and every source. The gradient of a sum
    of L1 distances is a sum of signs, so it is known as soon as the forward pass has
    seen the pair; added up at both ends, it takes two numbers per pixel. One map serves
    both sums, because both ends of a pair with one label are background or both are
    foreground.

    Arguments of ``apply``: ``field`` ``(B, 2, h, w)``, the :class:`PairEnds`, and the
    radius. Returns ``(2,)``: the sums of ``BG_POS`` and of ``FG_POS``.
    """

    @staticmethod
    def forward(ctx: Any, field: Tensor, ends: PairEnds, radius: int) -> Tensor:
        """Sum, and keep the gradient; see the class."""
        ctx.shape = field.shape
        ctx.background = ends.target == 0  # (B, h, w)
        flat = field.transpose(0, 1).reshape(2, -1)  # (2, B * h * w)
        gradient = torch.zeros_like(flat)
        distance = torch.zeros_like(flat)
        if flat.numel():
            _add_distances(flat, ends, radius, distance, gradient)
        ctx.save_for_backward(gradient)
        # The label of the source tells to which of the two sums a pair belongs.
        per_pixel = distance.sum(0)  # (B * h * w,)
        background = per_pixel * ctx.background.flatten()
        return torch.stack([background.sum(), (per_pixel - background).sum()])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Weight the kept gradient by that of the sum a pixel's pairs went into."""
        (gradient,) = ctx.saved_tensors
        batch, _, height, width = ctx.shape
        gradient = gradient.view(2, batch, height, width).transpose(0, 1)
        weight = torch.where(ctx.background, grad[BG_POS], grad[FG_POS])
        return gradient * weight[:, None], None, None


def _add_distances(
    field: Tensor, ends: PairEnds, radius: int, distance: Tensor, gradient: Tensor
) -> None:
    """Add the L1 distances at the sources, and their gradient at both ends.

    Args:
        field: ``(2, B * h * w)`` displacement.
        ends: Labels at the ends of the pairs.
        radius: Radius of the pairs in pixels.
        distance: Like ``field``, changed in place.
        gradient: Like ``field``, changed in place.
    """
    pairs = flat_pairs(ends.source.shape, radius)
    # What belongs to the sources, (length,) or (2, length); views, not copies, of the
    # maps that are added to.
    source_label = pairs.shift(ends.source.flatten(), (0, 0)).to(field.dtype)
    foreground = (source_label > 0).to(field.dtype)
    source = pairs.shift(field, (0, 0))
    distance = pairs.shift(distance, (0, 0))
    source_gradient = pairs.shift(gradient, (0, 0))
    target_label = ends.target.flatten().to(field.dtype)
    delta = torch.empty_like(source)
    equal = torch.empty_like(source_label)
    for direction in pixel_directions(radius):
        # delta = D(x_i) - D(x_j), (2, length).
        torch.sub(source, pairs.shift(field, direction), out=delta)
        # Minus x_j - x_i where the source is foreground (Eq. 5), else as it is (Eq. 6).
        for component, offset in zip(delta, direction):
            component.sub_(foreground, alpha=offset)
        # Only pairs of P+ count: one known label at both ends.
        torch.eq(source_label, pairs.shift(target_label, direction), out=equal)
        delta.mul_(equal)
        # d|delta| is sign(delta) at the source and -sign(delta) at the destination.
        sign = delta.sign()
        source_gradient += sign
        pairs.shift(gradient, direction).sub_(sign)
        distance += delta.abs_()
