"""Linear warm-up that reaches the full learning rate where it ends."""

from typing import Any

from mmengine.optim import LinearLR

from mmwsis.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class LinearWarmupLR(LinearLR):
    r"""Linear warm-up from zero, counted from step 0.

    .. math::
        \text{lr}(t) = \text{lr}_0 \, t / T \quad \text{for} \quad t \leq T

    As in the released code of `MAL <https://arxiv.org/abs/2301.03992>`_. MMEngine's
    ``LinearLR`` divides by ``T - 1``: it is at the full rate one step before ``end``.

    Args:
        *args: As for ``mmengine.LinearLR``; ``T`` is ``end - begin``.
        end: Step at which the full rate is reached.
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
        self, *args: Any, end: int, start_factor: float = 1e-9, **kwargs: Any
    ) -> None:
        # One step longer: the full rate is then that of step `end`, where the schedule
        # that follows begins and takes the rate as it finds it.
        super().__init__(*args, start_factor=start_factor, end=end + 1, **kwargs)
