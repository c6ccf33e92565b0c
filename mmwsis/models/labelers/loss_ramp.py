"""Linear growth of a loss weight at the start of training."""

from mmengine.logging import MessageHub

__all__ = ['LossRamp']


class LossRamp:
    r"""Factor that grows linearly from 0 to 1: :math:`\min(1, t / T)`.

    MAL's released code multiplies its losses by it; the paper does not mention it.
    Iterations are counted, not optimiser steps: with gradient accumulation a ramp of
    1000 iterations takes ``1000 / accumulative_counts`` steps. The progress is read
    from MMEngine's message hub, so a resumed run continues where it was; outside a
    training run the factor is 1.

    Args:
        iters: Length T in iterations; 0 for no ramp. Defaults to None.
        epochs: Length in epochs, instead of ``iters``. Defaults to None.
        first_epoch_only: Be 1 from the second epoch on, even if the ramp is not at its
            end, as MAL does. Defaults to False.

    Raises:
        ValueError: Both lengths or none are given, or one is negative.

    Example:
        >>> LossRamp(iters=1000).factor()  # outside a training run
        1.0
    """

    def __init__(
        self,
        iters: int | None = None,
        epochs: float | None = None,
        first_epoch_only: bool = False,
    ) -> None:
        if (iters is None) == (epochs is None):
            raise ValueError(
                'a ramp needs either iters or epochs; '
                f'got iters={iters} and epochs={epochs}.'
            )
        if (iters or 0) < 0 or (epochs or 0) < 0:
            raise ValueError(
                f'the length of a ramp must be >= 0; got iters={iters}, '
                f'epochs={epochs}.'
            )
        self.iters = iters
        self.epochs = epochs
        self.first_epoch_only = first_epoch_only

    def factor(self) -> float:
        """The factor of this iteration, in [0, 1]."""
        hub = MessageHub.get_current_instance()
        iteration = hub.get_info('iter')
        if iteration is None:
            return 1.0
        if self.first_epoch_only and (hub.get_info('epoch') or 0) > 0:
            return 1.0
        length = self.iters if self.iters is not None else self._epochs_in_iters(hub)
        return min(1.0, iteration / length) if length > 0 else 1.0

    def _epochs_in_iters(self, hub: MessageHub) -> float:
        max_iters, max_epochs = hub.get_info('max_iters'), hub.get_info('max_epochs')
        if not max_iters or not max_epochs:
            raise RuntimeError(
                f'a ramp of {self.epochs} epochs needs a training loop that counts '
                'epochs (EpochBasedTrainLoop); give the ramp in iters instead.'
            )
        return self.epochs * max_iters / max_epochs
