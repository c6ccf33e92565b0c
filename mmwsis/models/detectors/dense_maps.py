"""What a network says of every pixel."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor


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
        finite = torch.stack(
            [one.detach().flatten(1).isfinite().all(1) for one in self]
        )
        if finite.all():
            return
        of_map, of_image = finite.all(1).tolist(), finite.all(0).tolist()
        names = [name for name, good in zip(self._fields, of_map) if not good]
        ids = [sample.get('img_id') for sample in samples]
        ids = {number: None for number, good in zip(ids, of_image) if not good}
        raise FloatingPointError(
            f'{", ".join(names)} of the network are not finite, image ids {[*ids]}. '
            'Look at these images; if they are right, the network has diverged: lower '
            'optim_wrapper.optimizer.lr, lengthen the warm-up or train without --amp, '
            'and resume from a checkpoint.'
        )
