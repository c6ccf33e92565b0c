"""Cosine decay whose begin and end need not be whole steps."""

import math
from typing import Any

from mmengine.optim import CosineAnnealingLR

from mmwsis.registry import PARAM_SCHEDULERS

from .partial_epochs import PartialEpochs, first_step


@PARAM_SCHEDULERS.register_module()
class CosineDecayLR(PartialEpochs, CosineAnnealingLR):
    r"""Cosine decay to a share of the learning rate.

    .. math::
        \text{lr}(t) = \text{lr}_\text{min} + \tfrac12 (\text{lr}_0 -
        \text{lr}_\text{min}) \left(1 + \cos \pi \frac{t - b}{e - b}\right)

    between ``b = begin`` and ``e = end``, as in the released code of MAL. MMEngine's
    ``CosineAnnealingLR`` cuts ``begin`` and ``end`` to whole iterations, so that after
    a tenth of an epoch of 7 iterations it begins at 0, and goes on from the rate that
    it finds there, which a warm-up has set to zero. This one sets the rate.

    Args:
        *args: As for ``mmengine.CosineAnnealingLR``.
        begin: Step at which the decay begins. Defaults to 0.
        end: Step at which the least rate would be reached.
        **kwargs: As for ``mmengine.CosineAnnealingLR``.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = CosineDecayLR(
        ...     optimizer, begin=0, end=2, eta_min_ratio=0.2, by_epoch=False)
        >>> rates = []
        >>> for _ in range(3):
        ...     rates.append(round(optimizer.param_groups[0]['lr'], 5))
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [1.0, 0.6, 0.6]
    """

    def __init__(self, *args: Any, end: float, begin: float = 0, **kwargs: Any) -> None:
        self.position, self.length = begin, end - begin
        begin = first_step(begin)
        # There may be no whole step between the two: then nothing is set that counts.
        end = max(first_step(end), begin + 1)
        super().__init__(*args, begin=begin, end=end, **kwargs)

    def _get_value(self) -> list[float]:
        share = (self.last_step + self.begin - self.position) / self.length
        falling = (1 + math.cos(math.pi * share)) / 2
        values = []
        for base in self.base_values:
            least = self.eta_min
            if self.eta_min_ratio is not None:
                least = self.eta_min_ratio * base
            values.append(least + (base - least) * falling)
        return values
