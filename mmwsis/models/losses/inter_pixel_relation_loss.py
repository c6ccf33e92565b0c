r"""Losses on the relations of near pixels (IRNet, CVPR 2019, sections 4.2 to 4.5).

The equations of `IRNet <https://arxiv.org/abs/1904.05044>`_, with a displacement field
:math:`D`, a boundary map :math:`B`, and pairs :math:`(i, j)` of pixels as
:mod:`~mmwsis.models.losses.pixel_pairs` sorts them:

.. math::
    \text{(5)} \quad L^D_{fg} &= \frac{1}{|P^+_{fg}|} \sum_{(i, j) \in P^+_{fg}}
        \lVert \delta(i, j) - \hat\delta(i, j) \rVert_1 \\
    \text{(6)} \quad L^D_{bg} &= \frac{1}{|P^+_{bg}|} \sum_{(i, j) \in P^+_{bg}}
        \lVert \delta(i, j) \rVert_1 \\
    \text{(7)} \quad a_{ij} &= 1 - \max_{k \in \Pi_{ij}} B(x_k) \\
    \text{(8)} \quad L^B &= - \sum_{P^+_{fg}} \frac{\log a_{ij}}{2 |P^+_{fg}|}
        - \sum_{P^+_{bg}} \frac{\log a_{ij}}{2 |P^+_{bg}|}
        - \sum_{P^-} \frac{\log(1 - a_{ij})}{|P^-|} \\
    \text{(9)} \quad L &= L^D_{fg} + L^D_{bg} + L^B

:math:`\delta(i, j) = D(x_i) - D(x_j)` is the difference of the displacements,
:math:`\hat\delta(i, j) = x_j - x_i` what it should be on one instance,
:math:`\Pi_{ij}` are the pixels on the line between the two. The released code, whose
learning rates we share, halves all of :math:`L`, and averages the L1 distances over
their two components, which halves :math:`L^D` once more; so does this file.

**How it is computed.** Written down as it stands, Eq. 8 takes 152 pairs per pixel and a
maximum over up to 22 pixels for each. But :math:`a_{ij}` is one minus the boundary of a
*single* pixel, the maximum :math:`k^*` of its path, so with :math:`n_k`, the number of
pairs of a set whose path has its maximum at :math:`k`,

.. math::
    \sum_{(i, j) \in P} \log a_{ij} = \sum_k n_k \log(1 - B(x_k)).

Counting the maxima (:func:`maximum_counts`) needs no gradient and runs on integers; the
logarithms are then taken once per pixel, where autograd differentiates them.
"""

from itertools import islice
from typing import NamedTuple

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from mmwsis.ops.path_affinity import flat_pairs, path_maxima, rank_pixels
from mmwsis.ops.pixel_paths import (
    directions_by_side,
    pixel_directions,
    source_window,
)
from mmwsis.ops.tensor_checks import (
    as_integer,
    as_number,
    as_size,
    check_integers,
    check_shape,
    full_precision,
    to_full_precision,
)
from mmwsis.registry import MODELS

from .displacement_distance import DisplacementDistance
from .pixel_pairs import (
    BG_POS,
    FG_POS,
    IGNORED,
    NEG,
    PairEnds,
    PairKinds,
    pair_ends,
)

EPS = 1e-5
MAX_CLASSES = 2**15 - 2
# Directions whose pairs are counted in one go.
CHUNK = 16


class PairSums(NamedTuple):
    r"""Numerators and denominators of Eq. 5, 6 and 8, over all pairs of a batch.

    Attributes:
        affinity: ``(3,)`` sums of :math:`-\log a_{ij}` over :math:`P^+_{bg}` and over
            :math:`P^+_{fg}`, and of :math:`-\log(1 - a_{ij})` over :math:`P^-`.
        displacement: ``(2,)`` sums of :math:`\lVert\delta\rVert_1` over
            :math:`P^+_{bg}` and of :math:`\lVert\delta - \hat\delta\rVert_1` over
            :math:`P^+_{fg}`.
        counts: ``(3,)`` int64 sizes of :math:`P^+_{bg}`, :math:`P^+_{fg}`, :math:`P^-`.
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

    Nothing of the size of all pairs is kept: memory grows with the pixels. Of exactly
    equal maxima the first on the path takes the gradient.

    Args:
        edge_logit: ``(B, 1, h, w)`` boundary before the sigmoid.
        displacement: ``(B, 2, h, w)`` ``(dy, dx)`` in pixels of the grid.
        labels: ``(B, h, w)`` integers: 0 background, k + 1 class k, all else ignored.
        radius: Pairs are nearer than this, in pixels; at least 2.
        num_classes: Number of foreground classes.

    Returns:
        The sums, with gradients; float64 if ``edge_logit`` is, else float32, under
        autocast too. Zeros with a graph for B = 0 and where there is no pair.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Wrong shapes or settings, or a grid without sources.
    """
    check_shape('edge_logit', edge_logit, ('B', 1, 'h', 'w'))
    batch, _, height, width = edge_logit.shape
    check_shape(
        'displacement', displacement, (batch, 2, height, width), like=edge_logit
    )
    check_shape('labels', labels, (batch, height, width), like=edge_logit)
    check_integers('labels', labels)
    num_classes = _class_count(num_classes)
    source_window(radius, height, width)  # checks the size
    with full_precision(edge_logit):
        logit = to_full_precision(edge_logit)[:, 0]
        # B, (B, h, w); NaN, not 0 or 1, where the network overflowed to infinity.
        edge = logit.sigmoid() + (logit - logit).detach()
        field = to_full_precision(displacement)  # D, (B, 2, h, w)
        # Eq. 2 to 4: which pixels may be ends of pairs.
        ends = pair_ends(labels, radius, num_classes)
        # Eq. 7: how many pairs of each kind have their maximum at a pixel.
        maxima = maximum_counts(edge.detach(), ends, radius)  # (3, B, h, w)
        # Eq. 8: their logarithms, once per pixel.
        affinity = 1 - edge
        positive = -(affinity + EPS).log()
        negative = -(1 + EPS - affinity).log()
        terms = torch.stack([positive, positive, negative])  # (3, B, h, w)
        return PairSums(
            affinity=(maxima.to(edge.dtype) * terms).flatten(1).sum(1),
            # Eq. 5 and 6.
            displacement=DisplacementDistance.apply(field, ends, radius),
            counts=maxima.flatten(1).sum(1),
        )


def maximum_counts(edge: Tensor, ends: PairEnds, radius: int) -> Tensor:
    """Count, by kind of pair, how often each pixel is the maximum of a path (Eq. 7).

    Args:
        edge: ``(B, h, w)`` boundary probability.
        ends: Labels at the ends of the pairs.
        radius: Radius of the pairs in pixels.

    Returns:
        ``(3, B, h, w)`` int64 counts for ``BG_POS``, ``FG_POS`` and ``NEG``.
    """
    found = torch.zeros(IGNORED, *edge.shape, dtype=torch.int64, device=edge.device)
    if not edge.numel():
        return found
    pairs = flat_pairs(edge.shape, radius)
    kinds = PairKinds(ends, pairs)
    keys = kinds.pair_key.new_empty(CHUNK, pairs.length)
    # Leftward and rightward directions order equal values differently, and so need
    # ranks of their own.
    for leftward, directions in enumerate(directions_by_side(radius)):
        # Ranks instead of probabilities: their maximum also says which pixel it is.
        ranks = rank_pixels(edge, bool(leftward))  # (B, h, w)
        maxima = path_maxima(ranks, radius, directions)
        # Count (kind, image, rank of the maximum), some directions at a time: a call of
        # bincount costs as much as several directions.
        histogram = torch.zeros_like(found).flatten()
        for begin in range(0, len(directions), CHUNK):
            count = min(CHUNK, len(directions) - begin)
            for key, (index, rank) in zip(keys, islice(maxima, count)):
                kinds.write_keys(pixel_directions(radius)[index], rank, key)
            counts = keys[:count].flatten().bincount(minlength=4 * edge.numel())
            # Beyond the histogram's end lie the pairs that are ignored.
            histogram += counts[: len(histogram)]
        # From ranks back to the pixels that have them.
        rank = ranks.flatten(1).long().expand(IGNORED, -1, -1)  # (3, B, h * w)
        found += histogram.view(rank.shape).gather(2, rank).view_as(found)
    return found


def inter_pixel_relation_loss(
    edge_logit: Tensor,
    displacement: Tensor,
    labels: Tensor,
    radius: int = 10,
    num_classes: int = 20,
) -> dict[str, Tensor]:
    r"""The five losses of IRNet (Eq. 5, 6 and the three of Eq. 8); their sum is Eq. 9.

    .. math::
        \tfrac14 (L_{bg+} + L_{fg+}) + \tfrac12 L_- + \tfrac12 (L^D_{fg} + L^D_{bg})

    each a mean over its pairs in the whole batch, the displacement's over its two
    components too. These are the factors of the released code, for which the learning
    rates were chosen: half of the paper's for the affinities, a quarter for the
    displacements.

    On several ranks the means are over the pairs of all of them: each rank divides the
    sum of its own pairs by the mean count of a rank, so that the gradients that
    DistributedDataParallel averages are those of one process with the whole batch.

    Args:
        edge_logit: ``(B, 1, h, w)`` boundary before the sigmoid.
        displacement: ``(B, 2, h, w)`` ``(dy, dx)`` in pixels of the grid.
        labels: ``(B, h, w)`` integers: 0 background, k + 1 class k, all else ignored.
        radius: Pairs are nearer than this, in pixels; at least 2. Defaults to 10.
        num_classes: Number of foreground classes. Defaults to 20.

    Returns:
        Scalars ``loss_affinity_bg``, ``loss_affinity_fg``, ``loss_affinity_neg``,
        ``loss_displacement_fg``, ``loss_displacement_bg``, weighted; zero with a
        graph where there is no such pair.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Wrong shapes or settings, or a grid without sources.

    Example:
        >>> import torch
        >>> labels = torch.tensor([0, 0, 1, 1]).expand(1, 4, 4)
        >>> flat = torch.full((1, 1, 4, 4), -20.0)  # no boundary: all pairs are alike
        >>> still = torch.zeros(1, 2, 4, 4)
        >>> losses = inter_pixel_relation_loss(flat, still, labels, radius=2)
        >>> print('{:.3f}'.format(losses['loss_affinity_neg']))  # unlike pairs exist
        5.756
    """
    sums = inter_pixel_relation_sums(
        edge_logit, displacement, labels, radius, num_classes
    )
    # |P| over the batches of all ranks.
    all_reduce(sums.counts)
    ranks = get_world_size()
    counts = sums.counts.to(sums.affinity.dtype)
    affinity = sums.affinity * ranks / (counts + EPS)  # (3,), Eq. 8
    distance = sums.displacement * ranks / (2 * counts[:NEG] + EPS)  # (2,), Eq. 5, 6
    return dict(
        loss_affinity_bg=affinity[BG_POS] / 4,
        loss_affinity_fg=affinity[FG_POS] / 4,
        loss_affinity_neg=affinity[NEG] / 2,
        loss_displacement_fg=distance[FG_POS] / 2,
        loss_displacement_bg=distance[BG_POS] / 2,
    )


def _class_count(num_classes: int) -> int:
    """Check a number of classes; labels are compared in 16 bits."""
    if as_integer('num_classes', num_classes, 1) > MAX_CLASSES:
        raise ValueError(
            f'num_classes: expected at most {MAX_CLASSES}, got {num_classes}.'
        )
    return as_integer('num_classes', num_classes)


@MODELS.register_module()
class InterPixelRelationLoss(nn.Module):
    """:func:`inter_pixel_relation_loss` with its settings.

    There is no ``reduction`` and no ``avg_factor`` as other losses have them: every
    term is a mean over its own set of pairs, whose size only the loss knows.

    Args:
        num_classes: Number of foreground classes.
        radius: Pairs are nearer than this, in pixels of the grid; IRNet uses 10.
            Defaults to 10.
        grid_size: ``(h, w)`` of the stride-4 grid of a crop, if it is to be checked at
            once that it has pairs. Defaults to None.
        loss_weight: Factor of all five losses. Defaults to 1.0.

    Raises:
        ValueError: ``radius`` is no integer of at least 2, ``num_classes`` none from 1
            to 32766, ``grid_size`` too small, or ``loss_weight`` below 0.

    Example:
        >>> import torch
        >>> # Background, a column that is to be ignored, an object of class 3.
        >>> labels = torch.tensor([0, 0, 0, 0, 255, 4, 4, 4, 4]).expand(1, 4, 9)
        >>> edge_logit = torch.full((1, 1, 4, 9), -9.0)
        >>> edge_logit[..., 4] = 9.0  # the boundary runs along the ignored column
        >>> y, x = torch.meshgrid(torch.arange(4.0), torch.arange(9.0), indexing='ij')
        >>> # All pixels of the object point to (1.5, 6.5); D is zero elsewhere.
        >>> displacement = torch.stack([1.5 - y, 6.5 - x])[None] * (x > 4)
        >>> loss = InterPixelRelationLoss(num_classes=20, radius=3)
        >>> losses = loss(edge_logit, displacement, labels)
        >>> for name, value in losses.items():
        ...     print(f'{name}: {abs(value):.4f}')
        loss_affinity_bg: 0.0000
        loss_affinity_fg: 0.0000
        loss_affinity_neg: 0.0001
        loss_displacement_fg: 0.0000
        loss_displacement_bg: 0.0000
    """

    def __init__(
        self,
        num_classes: int,
        radius: int = 10,
        grid_size: tuple[int, int] | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.radius = as_integer('radius', radius, 2)
        if grid_size is not None:
            source_window(radius, *as_size('grid_size', grid_size))
        self.num_classes = _class_count(num_classes)
        self.loss_weight = as_number('loss_weight', loss_weight, '[0, inf)')

    def forward(
        self, edge_logit: Tensor, displacement: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Return the five weighted losses.

        Args:
            edge_logit: ``(B, 1, h, w)`` boundary before the sigmoid.
            displacement: ``(B, 2, h, w)`` ``(dy, dx)`` in pixels of the grid.
            labels: ``(B, h, w)`` integers: 0 background, k + 1 class k, all else
                ignored.

        Returns:
            Scalars, named as by :func:`inter_pixel_relation_loss`.
        """
        losses = inter_pixel_relation_loss(
            edge_logit, displacement, labels, self.radius, self.num_classes
        )
        return {name: self.loss_weight * loss for name, loss in losses.items()}
