"""What a network says of every pixel."""

from collections.abc import Sequence
from typing import NamedTuple

from mmengine.structures import BaseDataElement
from torch import Tensor

from .finite_maps import check_finite_maps


class DenseMaps(NamedTuple):
    """What the network says of every pixel.

    Attributes:
        seg_logits: (B, C + 1, H, W), background first.
        centers: (B, C, H, W), near 1 at the centres of instances; not bounded. One map
            for all classes, (B, 1, H, W), of a class-agnostic network.
        offsets: (B, 2, H, W) ``(dy, dx)`` from the pixel to the centre of its instance,
            in pixels of the network's image.
    """

    seg_logits: Tensor
    centers: Tensor
    offsets: Tensor

    def check_finite(self, samples: Sequence[BaseDataElement]) -> None:
        """Stop before NaN reaches labels or weights; asks the device once.

        Args:
            samples: B samples, whose ``img_id`` the message names.

        Raises:
            FloatingPointError: A map holds NaN or infinity.
        """
        check_finite_maps(self._asdict(), samples)
