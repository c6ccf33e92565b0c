"""Stopping a network whose output is not finite, with the images that it was given."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor


def check_finite_maps(
    maps: Mapping[str, Tensor], samples: Sequence[BaseDataElement]
) -> None:
    """Stop before NaN reaches labels or weights; asks the device once.

    Args:
        maps: Output of a network by name, ``(B, ...)`` each.
        samples: B samples, whose ``img_id`` the message names.

    Raises:
        FloatingPointError: A map holds NaN or infinity.

    Example:
        >>> samples = [BaseDataElement(metainfo=dict(img_id=7))]
        >>> check_finite_maps(dict(logits=torch.zeros(1, 2, 3, 4)), samples)
    """
    finite = torch.stack(
        [one.detach().flatten(1).isfinite().all(1) for one in maps.values()]
    )
    if finite.all():
        return
    of_map, of_image = finite.all(1).tolist(), finite.all(0).tolist()
    names = [name for name, good in zip(maps, of_map) if not good]
    ids = [sample.get('img_id') for sample in samples]
    ids = {number: None for number, good in zip(ids, of_image) if not good}
    raise FloatingPointError(
        f'{", ".join(names)} of the network are not finite, image ids {[*ids]}. '
        'Look at these images; if they are right, the network has diverged: lower '
        'optim_wrapper.optimizer.lr, lengthen the warm-up or train without --amp, '
        'and resume from a checkpoint.'
    )
