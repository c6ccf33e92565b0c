"""Every touch of upstream internals, in one place.

Upstream OpenMMLab (mmengine 0.10.7) saves checkpoints that torch >= 2.6 refuses to
load with ``weights_only=True``, because they carry a ``HistoryBuffer`` and numpy
scalars. The needed globals are allow-listed; the safety itself stays on.
"""

import numpy as np
import torch


def apply_compat() -> None:
    """Allow-list the globals of MMEngine checkpoints; safe to call twice."""
    add_safe_globals = getattr(torch.serialization, 'add_safe_globals', None)
    if add_safe_globals is None:  # torch < 2.6 has no such list
        return
    from mmengine.logging.history_buffer import HistoryBuffer

    core = getattr(np, '_core', None) or np.core
    add_safe_globals(
        [
            HistoryBuffer,
            core.multiarray._reconstruct,
            core.multiarray.scalar,
            np.ndarray,
            np.dtype,
            *{type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', 'u1', 'b1')},
        ]
    )
