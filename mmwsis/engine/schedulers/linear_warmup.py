"""Linear warm-up that reaches the full learning rate where it ends."""

from typing import Any

from mmengine.optim import LinearLR

from mmwsis.registry import PARAM_SCHEDULERS

from .partial_epochs import PartialEpochs, first_step


@PARAM_SCHEDULERS.register_module()
class LinearWarmupLR(PartialEpochs, LinearLR):
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
