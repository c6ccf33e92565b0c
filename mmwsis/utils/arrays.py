"""Tensors as arrays."""

from typing import Any

import numpy as np
import torch


def to_numpy(values: Any) -> np.ndarray:
    """Turn a tensor on any device, or what NumPy understands, into an array.

    Args:
        values: Tensor, array or nested numbers; bfloat16, which NumPy lacks, becomes
            float32.

    Returns:
        The array, possibly sharing memory with ``values``.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype is torch.bfloat16 else values
        return values.numpy()
    return np.asarray(values)
