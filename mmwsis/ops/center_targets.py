"""Targets of a centre and offset network, from a semantic map and points (BESTIE)."""

from typing import NamedTuple

from torch import Tensor


class CenterTargets(NamedTuple):
    """What the centre and the offset head learn; a batch has one more dimension.

    Attributes:
        centers: (C, H, W) float32, a Gaussian at each centre in the map of its class.
        offsets: (2, H, W) float32 ``(dy, dx)`` in pixels, from a pixel to the centre of
            its instance; 0 outside all instances.
        weights: (1, H, W) float32, 0 outside all instances.
    """

    centers: Tensor
    offsets: Tensor
    weights: Tensor
