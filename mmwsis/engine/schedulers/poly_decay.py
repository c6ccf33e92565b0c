"""Polynomial decay that ends where the training ends."""

from typing import Any

from mmengine.optim import PolyLR

from mmwsis.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class PolyDecayLR(PolyLR):
    """Learning rate ``lr * (1 - step / steps) ** power``, counted from step 0.

    As in DeepLab and IRNet. MMEngine's ``PolyLR`` divides by ``steps - 1``, so that the
    last step has the rate ``eta_min``: here it has that of ``1 / steps`` of the way
    left, and keeps it if training goes on.

    Args:
        *args: As for ``mmengine.PolyLR``; ``steps`` is ``end - begin``.
        **kwargs: The same.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.total_iters += 1
