"""Losses on the relations of near pixels (IRNet, CVPR 2019, sections 4.2 and 4.3)."""

from itertools import islice
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmwsis.ops.path_affinity import (
    FlatPairs,
    flat_pairs,
    path_maxima,
    rank_pixels,
)
from mmwsis.ops.pixel_paths import (
    directions_by_side,
    pixel_directions,
    source_window,
)
from mmwsis.ops.tensor_checks import check_shape, full_precision, to_full_precision
from mmwsis.registry import MODELS

EPS = 1e-5
# What a pair is, from the labels at its ends: the rows of the histograms below.
BG_POS, FG_POS, NEG, UNSURE = range(4)
# Sources and destinations that take part in no pair never look equal.
NO_SOURCE, NO_TARGET = -1, -2
# Directions whose pairs are counted in one go.
CHUNK = 16


class PairSums(NamedTuple):
    """Sums over all pairs of a batch, before they are normalised.

    Attributes:
        affinity: (3,) sums of ``-ln(a + eps)`` over pairs of background and of one
            class, and of ``-ln(1 + eps - a)`` over pairs of different classes.
        displacement: (2,) L1 distances of the displacement's difference from zero
            over pairs of background, from the offset over pairs of one class.
        counts: (3,) int64 number of pairs of each kind.
    """

    affinity: Tensor
    displacement: Tensor
    counts: Tensor


def inter_pixel_relation_sums(
    edge_logit: Tensor,
    displacement: Tensor,
    labels: Tensor,
    radius: int,
    num_classes: int,
) -> PairSums:
    """Sum the loss terms of all pairs of near pixels.

    The affinity ``a`` of a pair is one minus the largest boundary probability on the
    path between its ends (:func:`mmwsis.ops.path_affinity`), so its term depends on
    one pixel only: the terms are computed a pixel, and weighted by the number of pairs
    whose maximum that pixel is. Of exactly equal maxima the first on the path counts.
    Nothing of the size of all pairs is kept: memory grows with the pixels.

    Args:
        edge_logit: (B, 1, h, w) boundary before the sigmoid.
        displacement: (B, 2, h, w) ``(dy, dx)`` in pixels of the grid.
        labels: (B, h, w) integers: 0 background, k + 1 class k, all else unsure.
        radius: Pairs are nearer than this, in pixels; at least 2.
        num_classes: Number of foreground classes.

    Returns:
        The sums, with gradients; float64 if ``edge_logit`` is, else float32, under
        autocast too. Zeros with a graph for B = 0 and where no pair is sure.

    Raises:
        ValueError: Wrong shapes, or a grid without sources.
    """
    check_shape('edge_logit', edge_logit, ('B', 1, 'h', 'w'))
    batch, _, height, width = edge_logit.shape
    check_shape('displacement', displacement, (batch, 2, height, width))
    check_shape('labels', labels, (batch, height, width))
    source_window(radius, height, width)
    with full_precision(edge_logit):
        edge = to_full_precision(edge_logit)[:, 0].sigmoid()
        field = to_full_precision(displacement)
        ends = _pair_ends(labels, radius, num_classes)
        votes = _maximum_votes(edge.detach(), ends, radius)
        weights = votes.to(edge.dtype)
        affinity = 1 - edge
        positive = -(affinity + EPS).log()
        terms = torch.stack([positive, positive, -(1 + EPS - affinity).log()])
        return PairSums(
            affinity=(weights * terms).flatten(1).sum(1),
            displacement=_DisplacementDistance.apply(field, ends, radius),
            counts=votes.flatten(1).sum(1),
        )


class _PairEnds(NamedTuple):
    """Labels at the sources and at the destinations of pairs, (B, h, w) int16."""

    source: Tensor
    target: Tensor


def _pair_ends(labels: Tensor, radius: int, num_classes: int) -> _PairEnds:
    """Mark the pixels that are unsure or, as sources, too near the border."""
    rows, cols, *_ = source_window(radius, *labels.shape[1:])
    sure = (labels >= 0) & (labels <= num_classes)
    target = labels.to(torch.int16).masked_fill(~sure, NO_TARGET)
    source = torch.full_like(target, NO_SOURCE)
    inside = target[:, rows, cols]
    source[:, rows, cols] = inside.masked_fill(inside == NO_TARGET, NO_SOURCE)
    return _PairEnds(source, target)


def _maximum_votes(edge: Tensor, ends: _PairEnds, radius: int) -> Tensor:
    """Count, by kind of pair, how often each pixel is the maximum of a path.

    Returns:
        (3, B, h, w) int64 counts for ``BG_POS``, ``FG_POS``, ``NEG``.
    """
    votes = torch.zeros(UNSURE, *edge.shape, dtype=torch.int64, device=edge.device)
    if not edge.numel():
        return votes
    pairs = flat_pairs(edge.shape, radius)
    kinds = _PairKinds(ends, pairs)
    keys = kinds.pair_key.new_empty(CHUNK, pairs.length)
    for leftward, directions in enumerate(directions_by_side(radius)):
        ranks = rank_pixels(edge, bool(leftward))
        maxima = path_maxima(ranks, radius, directions)
        histogram = torch.zeros_like(votes).flatten()
        for begin in range(0, len(directions), CHUNK):
            count = min(CHUNK, len(directions) - begin)
            for key, (index, rank) in zip(keys, islice(maxima, count)):
                kinds.write_keys(pixel_directions(radius)[index], rank, key)
            counts = keys[:count].flatten().bincount(minlength=4 * edge.numel())
            histogram += counts[: len(histogram)]
        rank = ranks.flatten(1).long().expand(UNSURE, -1, -1)
        votes += histogram.view(rank.shape).gather(2, rank).view_as(votes)
    return votes


class _PairKinds:
    """Finds out what the pairs of a direction are, in few passes over small numbers.

    The key of a pair is ``kind * B * h * w + image * h * w + rank of its maximum``.
    """

    def __init__(self, ends: _PairEnds, pairs: FlatPairs) -> None:
        batch, height, width = ends.source.shape
        self.pairs = pairs
        self.pixels = batch * height * width
        self.source = pairs.shift(ends.source.flatten(), (0, 0))
        self.target = ends.target.flatten()
        self.sure_source = (self.source >= 0).to(torch.int16)
        self.sure_target = (self.target >= 0).to(torch.int16)
        # From NEG to the kind of a pair with equal labels at its ends.
        self.equal_step = NEG - (self.source > 0).to(torch.int16)
        self.kind = torch.empty_like(self.source)
        self.equal = torch.empty_like(self.source)
        image = torch.arange(batch, device=self.source.device, dtype=torch.int32)
        image = image.repeat_interleave(height * width) * (height * width)
        self.pair_key = pairs.shift(image, (0, 0)) + UNSURE * self.pixels

    def write_keys(self, direction: tuple[int, int], rank: Tensor, key: Tensor) -> None:
        """Write the (length,) int32 keys of the pairs of a direction into ``key``."""
        target = self.pairs.shift(self.target, direction)
        sure_target = self.pairs.shift(self.sure_target, direction)
        # Comparing into integers instead of booleans is what runs vectorised.
        torch.eq(self.source, target, out=self.equal)
        torch.mul(self.sure_source, sure_target, out=self.kind)
        self.kind.addcmul_(self.equal, self.equal_step)
        torch.add(self.pair_key, rank, out=key)
        key.sub_(self.kind, alpha=self.pixels)


class _DisplacementDistance(torch.autograd.Function):
    """(B, 2, h, w) displacement to the two sums of L1 distances of :class:`PairSums`.

    Both ends of a pair with one label are background or both are foreground, so the
    gradient is kept once, a number a pixel, for both sums.
    """

    @staticmethod
    def forward(ctx: Any, field: Tensor, ends: _PairEnds, radius: int) -> Tensor:
        batch, _, height, width = field.shape
        ctx.shape = field.shape
        ctx.background = ends.target == 0
        flat = field.transpose(0, 1).reshape(2, -1)
        gradient = torch.zeros_like(flat)
        distance = torch.zeros_like(flat)
        if flat.numel():
            _add_distances(flat, ends, radius, distance, gradient)
        ctx.save_for_backward(gradient)
        per_pixel = distance.sum(0)
        background = per_pixel * ctx.background.flatten()
        return torch.stack([background.sum(), (per_pixel - background).sum()])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        batch, _, height, width = ctx.shape
        gradient = gradient.view(2, batch, height, width).transpose(0, 1)
        weight = torch.where(ctx.background, grad[BG_POS], grad[FG_POS])
        return gradient * weight[:, None], None, None


def _add_distances(
    field: Tensor, ends: _PairEnds, radius: int, distance: Tensor, gradient: Tensor
) -> None:
    """Add the L1 distances at the sources, and their gradient at both ends.

    Args:
        field: (2, B * h * w) displacement.
        ends: Labels at the ends of the pairs.
        radius: Radius of the pairs in pixels.
        distance: Like ``field``, changed in place.
        gradient: Like ``field``, changed in place.
    """
    pairs = flat_pairs(ends.source.shape, radius)
    target_label = ends.target.flatten().to(field.dtype)
    source_label = pairs.shift(ends.source.flatten(), (0, 0)).to(field.dtype)
    foreground = (source_label > 0).to(field.dtype)
    source = pairs.shift(field, (0, 0))
    distance = pairs.shift(distance, (0, 0))
    source_gradient = pairs.shift(gradient, (0, 0))
    delta = torch.empty_like(source)
    equal = torch.empty_like(source_label)
    for direction in pixel_directions(radius):
        torch.sub(source, pairs.shift(field, direction), out=delta)
        for part, offset in zip(delta, direction):
            part.sub_(foreground, alpha=offset)
        torch.eq(source_label, pairs.shift(target_label, direction), out=equal)
        delta.mul_(equal)
        sign = delta.sign()
        source_gradient += sign
        pairs.shift(gradient, direction).sub_(sign)
        distance += delta.abs_()


def inter_pixel_relation_loss(
    edge_logit: Tensor,
    displacement: Tensor,
    labels: Tensor,
    radius: int = 10,
    num_classes: int = 20,
) -> dict[str, Tensor]:
    """The five losses of IRNet; their sum is its total.

    ``(L_bg_pos + L_fg_pos) / 4 + L_neg / 2 + (L_fg + L_bg) / 2``, each a mean over its
    pairs in the whole batch, the displacement's halved for its two components. These
    are the factors of the released code, for which the learning rates were chosen.

    On several ranks the means are over the pairs of all of them: each rank divides the
    sum of its own pairs by the mean count of a rank, so that the gradients that
    DistributedDataParallel averages are those of one process with the whole batch.

    Args:
        edge_logit: (B, 1, h, w) boundary before the sigmoid.
        displacement: (B, 2, h, w) ``(dy, dx)`` in pixels of the grid.
        labels: (B, h, w) integers: 0 background, k + 1 class k, all else unsure.
        radius: Pairs are nearer than this, in pixels; at least 2.
        num_classes: Number of foreground classes.

    Returns:
        Scalars ``loss_affinity_bg``, ``loss_affinity_fg``, ``loss_affinity_neg``,
        ``loss_displacement_fg``, ``loss_displacement_bg``, weighted; zero with a
        graph where there is no such pair.

    Raises:
        ValueError: Wrong shapes, or a grid without sources.
    """
    sums = inter_pixel_relation_sums(
        edge_logit, displacement, labels, radius, num_classes
    )
    all_reduce(sums.counts)
    ranks = get_world_size()
    counts = sums.counts.to(sums.affinity.dtype)
    affinity = sums.affinity * ranks / (counts + EPS)
    distance = sums.displacement * ranks / (2 * counts[:NEG] + EPS)
    return dict(
        loss_affinity_bg=affinity[BG_POS] / 4,
        loss_affinity_fg=affinity[FG_POS] / 4,
        loss_affinity_neg=affinity[NEG] / 2,
        loss_displacement_fg=distance[FG_POS] / 2,
        loss_displacement_bg=distance[BG_POS] / 2,
    )


@MODELS.register_module()
class InterPixelRelationLoss(nn.Module):
    """:func:`inter_pixel_relation_loss` with its settings.

    Args:
        num_classes: Number of foreground classes.
        radius: Pairs are nearer than this, in pixels of the grid; IRNet uses 10.
        grid_size: (h, w) of the grid, a quarter of the crop, if it is to be checked
            at once that it has pairs.
        loss_weight: Factor of all five losses.

    Raises:
        ValueError: ``radius`` is no integer of at least 2, or ``grid_size`` too small.
    """

    def __init__(
        self,
        num_classes: int,
        radius: int = 10,
        grid_size: tuple[int, int] | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        pixel_directions(radius)  # checks the radius
        if grid_size is not None:
            source_window(radius, *grid_size)
        self.num_classes = num_classes
        self.radius = radius
        self.loss_weight = loss_weight

    def forward(
        self, edge_logit: Tensor, displacement: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Return the five weighted losses.

        Args:
            edge_logit: (B, 1, h, w) boundary before the sigmoid.
            displacement: (B, 2, h, w) ``(dy, dx)`` in pixels of the grid.
            labels: (B, h, w) integers: 0 background, k + 1 class k, all else unsure.
        """
        losses = inter_pixel_relation_loss(
            edge_logit, displacement, labels, self.radius, self.num_classes
        )
        return {name: self.loss_weight * loss for name, loss in losses.items()}
