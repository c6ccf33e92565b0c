"""Shape checks and the full-precision region shared by the tensor algorithms."""

import torch
from torch import Tensor


def check_shape(name: str, tensor: Tensor, expected: tuple[int | str, ...]) -> None:
    """Refuse a tensor whose shape differs from the expected one.

    Args:
        name: Argument name used in the message.
        tensor: The tensor to check.
        expected: One entry per dimension: a size, or a letter such as ``'B'`` for a
            dimension of any size. A letter that occurs twice must have one size.

    Raises:
        ValueError: Naming the expected and the given shape.

    Example:
        >>> check_shape('image', torch.zeros(2, 3, 8, 8), ('B', 3, 'S', 'S'))
        >>> check_shape('image', torch.zeros(2, 3, 8, 9), ('B', 3, 'S', 'S'))
        Traceback (most recent call last):
            ...
        ValueError: image: expected shape (B, 3, S, S), got (2, 3, 8, 9).
    """
    given = tuple(tensor.shape)
    sizes: dict[str, int] = {}
    matches = len(given) == len(expected) and all(
        size == sizes.setdefault(want, size) if isinstance(want, str) else size == want
        for size, want in zip(given, expected)
    )
    if not matches:
        wanted = ', '.join(str(entry) for entry in expected)
        raise ValueError(f'{name}: expected shape ({wanted}), got {given}.')


def to_full_precision(tensor: Tensor) -> Tensor:
    """Return float64 as it is and everything else as float32."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def full_precision(tensor: Tensor) -> torch.autocast:
    """Return a context that switches autocast off on the device of ``tensor``."""
    return torch.autocast(tensor.device.type, enabled=False)
