"""Linear warm-up that reaches the full learning rate where it ends."""

import math
from typing import Any

from mmengine.optim import LinearLR

from mmwsis.registry import PARAM_SCHEDULERS

# A smaller share of an iteration is a rounding error: 0.07 * 100 is 7.000000000000001.
_ROUNDING = 1e-6


def first_step(position: float) -> int:
    """First whole step at or after a position.

    Args:
        position: In steps, for example 0.1 epochs of 7 iterations.
    """
    return math.ceil(position - _ROUNDING)


def epochs_to_iters(epochs: float, epoch_length: int | None) -> float:
    """Position in iterations, not rounded.

    Args:
        epochs: Position in epochs.
        epoch_length: Iterations of an epoch.

    Raises:
        ValueError: An epoch has no iteration.
    """
    if not epoch_length:
        raise ValueError(
            'an epoch has no iteration: the dataset has fewer images than '
            'train_dataloader.batch_size, and incomplete batches are dropped. Give '
            'a smaller batch_size, or train_dataloader.drop_last=False.'
        )
    return epochs * epoch_length


@PARAM_SCHEDULERS.register_module()
class LinearWarmupLR(LinearLR):
    r"""Linear warm-up from zero, counted from step 0.

    .. math::
        \text{lr}(t) = \text{lr}_0 \, t / T \quad \text{for} \quad t \leq T

    As in the released code of `MAL <https://arxiv.org/abs/2301.03992>`_. MMEngine's
    ``LinearLR`` divides by ``T - 1``: it is at the full rate one step before ``end``.
    ``T`` need not be whole: a tenth of an epoch of 7 iterations is 0.7 of them.

    Args:
        *args: As for ``mmengine.LinearLR``; ``T`` is ``end - begin``.
        end: Step at which the full rate is reached.
        begin: First step. Defaults to 0.
        start_factor: Share of the rate at the first step. The rate is multiplied from
            step to step, so it may be small but not zero. Defaults to 1e-9.
        **kwargs: As for ``mmengine.LinearLR``.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> schedule = LinearWarmupLR(optimizer, begin=0, end=4, by_epoch=False)
        >>> rates = []
        >>> for _ in range(6):
        ...     rates.append(round(optimizer.param_groups[0]['lr'], 5))
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.0, 0.025, 0.05, 0.075, 0.1, 0.1]
    """

    def __init__(
        self,
        *args: Any,
        end: float,
        begin: float = 0,
        start_factor: float = 1e-9,
        **kwargs: Any,
    ) -> None:
        self.position, self.length = begin, end - begin
        # One step longer: the full rate is then that of step `end`, where the schedule
        # that follows begins and may take the rate as it finds it.
        begin, end = first_step(begin), first_step(end) + 1
        super().__init__(
            *args, start_factor=start_factor, begin=begin, end=end, **kwargs
        )

    @classmethod
    def build_iter_from_epoch(
        cls,
        *args: Any,
        end: float,
        begin: float = 0,
        by_epoch: bool = True,
        epoch_length: int | None = None,
        **kwargs: Any,
    ) -> 'LinearWarmupLR':
        """Build the schedule of iterations from one of epochs, as MMEngine does.

        Args:
            *args: As for the class.
            end: Epoch at which the full rate is reached; need not be whole.
            begin: First epoch. Defaults to 0.
            by_epoch: Must be True.
            epoch_length: Iterations of an epoch.
            **kwargs: As for the class.

        Raises:
            ValueError: An epoch has no iteration.
        """
        begin, end = (epochs_to_iters(one, epoch_length) for one in (begin, end))
        return cls(*args, begin=begin, end=end, by_epoch=False, **kwargs)

    def _factor(self, step: int) -> float:
        share = (step + self.begin - self.position) / self.length
        return self.start_factor + (1 - self.start_factor) * min(share, 1.0)

    def _get_value(self) -> list[float]:
        factor = self._factor(self.last_step)
        if self.last_step > 0:
            factor /= self._factor(self.last_step - 1)
        return [
            group[self.param_name] * factor for group in self.optimizer.param_groups
        ]
