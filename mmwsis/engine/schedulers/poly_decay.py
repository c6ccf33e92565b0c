"""Polynomial decay that ends where the training ends."""

from typing import Any

from mmengine.optim import PolyLR

from mmwsis.registry import PARAM_SCHEDULERS

from .partial_epochs import epochs_to_iters


@PARAM_SCHEDULERS.register_module()
class PolyDecayLR(PolyLR):
    r"""Polynomial decay of the learning rate, counted from step 0.

    .. math::
        \text{lr}(t) = \text{lr}_0 \, (1 - t / T)^\text{power}

    As in DeepLab and in IRNet's released code. MMEngine's ``PolyLR`` divides by
    ``steps - 1``, so that the last step has the rate ``eta_min``: here it has that of
    ``1 / steps`` of the way left, and keeps it if training goes on.

    Args:
        *args: As for ``mmengine.PolyLR``; ``steps`` is ``end - begin``.
        **kwargs: The same.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> settings = dict(power=0.9, begin=0, end=10, by_epoch=False)
        >>> schedule = PolyDecayLR(optimizer, **settings)
        >>> rates = []
        >>> for _ in range(3):
        ...     rates.append(round(optimizer.param_groups[0]['lr'], 5))
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.1, 0.09095, 0.08181]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.total_iters += 1

    @classmethod
    def build_iter_from_epoch(
        cls, *args: Any, epoch_length: int | None = None, **kwargs: Any
    ) -> 'PolyDecayLR':
        """Build the schedule of iterations from one of epochs, as MMEngine does.

        Args:
            *args: As for the class.
            epoch_length: Iterations of an epoch.
            **kwargs: As for the class.

        Raises:
            ValueError: An epoch has no iteration.
        """
        epochs_to_iters(0, epoch_length)
        return super().build_iter_from_epoch(*args, epoch_length=epoch_length, **kwargs)
