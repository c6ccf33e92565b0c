"""Schedules whose begin and end may be parts of an epoch, and so of an iteration."""

import math
from typing import Any

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


class PartialEpochs:
    """Mixin of a schedule: epochs become iterations without being cut to whole ones."""

    @classmethod
    def build_iter_from_epoch(
        cls,
        *args: Any,
        end: float,
        begin: float = 0,
        by_epoch: bool = True,
        epoch_length: int | None = None,
        **kwargs: Any,
    ) -> 'PartialEpochs':
        """Build the schedule of iterations from one of epochs, as MMEngine does.

        Args:
            *args: As for the class.
            end: Epoch at which the schedule ends; need not be whole.
            begin: Epoch at which it begins, likewise. Defaults to 0.
            by_epoch: Must be True.
            epoch_length: Iterations of an epoch.
            **kwargs: As for the class.

        Raises:
            ValueError: An epoch has no iteration.
        """
        begin, end = (epochs_to_iters(one, epoch_length) for one in (begin, end))
        return cls(*args, begin=begin, end=end, by_epoch=False, **kwargs)
