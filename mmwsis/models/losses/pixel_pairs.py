r"""Which pairs of near pixels count, and as what (IRNet, CVPR 2019, section 4.2).

`IRNet <https://arxiv.org/abs/1904.05044>`_ sorts the pairs of pixels nearer than
:math:`\gamma` by the pseudo class labels :math:`\hat M` at their ends (Eq. 2 to 4):

.. math::
    P &= \{(i, j) : \lVert x_i - x_j \rVert < \gamma, i \neq j\} \\
    P^+ &= \{(i, j) \in P : \hat M(x_i) = \hat M(x_j)\} = P^+_{bg} \cup P^+_{fg} \\
    P^- &= \{(i, j) \in P : \hat M(x_i) \neq \hat M(x_j)\}

A pair whose end is to be ignored belongs to none. No list of pairs is ever made: they
are handled one *direction* :math:`x_j - x_i` after the other
(:func:`mmwsis.ops.pixel_directions`), all sources :math:`i` of a batch at a time, as
slices of the flattened maps (:class:`mmwsis.ops.path_affinity.FlatPairs`).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mmwsis.ops.path_affinity import FlatPairs
from mmwsis.ops.pixel_paths import source_window

# The kinds of pairs: P_bg+, P_fg+, P-, and those that belong to none of the sets.
BG_POS, FG_POS, NEG, IGNORED = range(4)
# Ends of pairs that are to be ignored. They differ, so that no two look alike.
NO_SOURCE, NO_TARGET = -1, -2


class PairEnds(NamedTuple):
    """Labels at the sources and at the destinations of pairs, (B, h, w) int16."""

    source: Tensor
    target: Tensor


def pair_ends(labels: Tensor, radius: int, num_classes: int) -> PairEnds:
    """Mark the pixels that take part in no pair.

    Args:
        labels: ``(B, h, w)`` integers: 0 background, k + 1 class k, all else ignored.
        radius: Pairs are nearer than this, in pixels.
        num_classes: Number of foreground classes.

    Returns:
        The labels, with ``NO_TARGET`` where they are to be ignored, and ``NO_SOURCE``
        there and where a destination would leave the grid.
    """
    rows, cols, *_ = source_window(radius, *labels.shape[1:])
    known = (labels >= 0) & (labels <= num_classes)
    target = labels.to(torch.int16).masked_fill(~known, NO_TARGET)
    source = torch.full_like(target, NO_SOURCE)
    inside = target[:, rows, cols]
    source[:, rows, cols] = inside.masked_fill(inside == NO_TARGET, NO_SOURCE)
    return PairEnds(source, target)


class PairKinds:
    """Finds the kinds of the pairs of a direction, in few passes over small numbers.

    A kind is not stored by itself but inside the key of a pair,
    ``kind * B * h * w + image * h * w + rank of the maximum on its path``, so that one
    histogram of the keys counts the maxima of all kinds, images and pixels.

    Args:
        ends: Labels at the ends of the pairs.
        pairs: The slices of the pairs.
    """

    def __init__(self, ends: PairEnds, pairs: FlatPairs) -> None:
        batch, height, width = ends.source.shape
        self.pairs = pairs
        self.pixels = batch * height * width
        self.source = pairs.shift(ends.source.flatten(), (0, 0))  # (length,)
        self.target = ends.target.flatten()  # (B * h * w,)
        self.known_source = (self.source >= 0).to(torch.int16)
        self.known_target = (self.target >= 0).to(torch.int16)
        # From NEG to the kind of a pair with equal labels at its ends.
        self.equal_step = NEG - (self.source > 0).to(torch.int16)
        self.kind = torch.empty_like(self.source)
        self.equal = torch.empty_like(self.source)
        image = torch.arange(batch, device=self.source.device, dtype=torch.int32)
        image = image.repeat_interleave(height * width) * (height * width)
        # The key of an ignored pair whose maximum has rank 0.
        self.pair_key = pairs.shift(image, (0, 0)) + IGNORED * self.pixels

    def write_keys(self, direction: tuple[int, int], rank: Tensor, key: Tensor) -> None:
        """Write the keys of the pairs of a direction.

        Args:
            direction: ``(dy, dx)`` from source to destination.
            rank: ``(length,)`` rank of the maximum on the path of each pair.
            key: ``(length,)`` int32, overwritten.
        """
        target = self.pairs.shift(self.target, direction)
        known_target = self.pairs.shift(self.known_target, direction)
        # kind = IGNORED - (both ends known) - (equal labels) * equal_step; IGNORED
        # is 3, NEG 2, FG_POS 1, BG_POS 0. Comparing into integers instead of booleans
        # is what runs vectorised.
        torch.eq(self.source, target, out=self.equal)
        torch.mul(self.known_source, known_target, out=self.kind)
        self.kind.addcmul_(self.equal, self.equal_step)
        torch.add(self.pair_key, rank, out=key)
        key.sub_(self.kind, alpha=self.pixels)
