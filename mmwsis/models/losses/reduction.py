"""From the losses of the samples to one number, by MMDetection's convention."""

from typing import ClassVar

from torch import Tensor, nn

from mmwsis.ops.tensor_checks import as_number, check_shape

REDUCTIONS = ('none', 'mean', 'sum')


class SampleLoss(nn.Module):
    """Base of losses that are computed per sample.

    As in MMDetection, ``loss_weight`` scales the loss, ``reduction`` says how the
    samples of a batch become one number, ``avg_factor`` replaces the number of samples
    in the mean, and ``reduction_override`` replaces ``reduction`` in one call. Unlike
    MMDetection's, the mean adds no epsilon to ``avg_factor``.

    Args:
        loss_weight: Factor of the loss. Defaults to 1.0.
        reduction: 'none', 'mean' or 'sum'. Defaults to 'mean'.

    Raises:
        ValueError: Unknown ``reduction``, or a ``loss_weight`` below 0.

    Example:
        >>> import torch
        >>> losses = torch.tensor([1.0, 3.0])  # of two samples
        >>> loss = SampleLoss(loss_weight=0.5)
        >>> loss.reduce(losses), loss.reduce(losses, avg_factor=4)
        (tensor(1.), tensor(0.5000))
    """

    # Added to the batch size in the mean; a subclass says why it has one.
    batch_eps: ClassVar[float] = 0.0

    def __init__(self, loss_weight: float = 1.0, reduction: str = 'mean') -> None:
        super().__init__()
        self.loss_weight = as_number('loss_weight', loss_weight, '[0, inf)')
        self.reduction = _checked(reduction)

    def reduce(
        self,
        losses: Tensor,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Weight and reduce the losses of a batch.

        Args:
            losses: ``(B,)`` loss per sample.
            avg_factor: Divisor of the mean; the batch size if None. Defaults to None.
            reduction_override: Instead of ``self.reduction``. Defaults to None.

        Returns:
            Scalar, zero with a graph for B = 0; ``(B,)`` for 'none'.

        Raises:
            ValueError: Unknown reduction, ``avg_factor`` with 'sum', or one that is not
                above 0 (a tensor is not looked at: it may be on a GPU).
        """
        check_shape('losses', losses, ('B',))
        reduction = _checked(reduction_override or self.reduction)
        if reduction == 'none':
            return self.loss_weight * losses
        total = self.loss_weight * losses.sum()
        if reduction == 'sum':
            if avg_factor is not None:
                raise ValueError('avg_factor cannot be used with reduction="sum".')
            return total
        if avg_factor is None:
            avg_factor = len(losses) + self.batch_eps or 1
        elif not isinstance(avg_factor, Tensor):
            avg_factor = as_number('avg_factor', avg_factor, '(0, inf)')
        return total / avg_factor


def _checked(reduction: str) -> str:
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction must be one of {REDUCTIONS}; got {reduction!r}.')
    return reduction
