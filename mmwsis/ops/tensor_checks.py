"""What the tensor algorithms ask of their arguments, and their full-precision region.

One rule holds for every public function and module of :mod:`mmwsis.ops` and
:mod:`mmwsis.models`. It looks at each argument once, before it computes:

- **Settings** (counts, radii, thresholds, widths) always. Integers may be Python's,
  NumPy's or tensors without dimensions; booleans and fractions are none.
- **Type, shape and device** of tensors always: this costs nothing. Any memory layout is
  taken, and so is a batch without elements.
- **Values** (finite, in range) where the result could not show that they were wrong,
  because it is a label, a mask, an index or a clamped number.

Values are not looked at where NaN comes out as NaN: reading one off a GPU makes the
host wait, in every step of a training. The losses therefore hand NaN on, and
``mmwsis.StopOnNaNHook``, which has to read them anyway, names the batch.
"""

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor


def check_shape(
    name: str,
    tensor: Tensor,
    expected: tuple[int | str, ...],
    like: Tensor | None = None,
) -> None:
    """Refuse what is no tensor of real numbers, or has another shape than expected.

    Args:
        name: Argument name used in the message.
        tensor: The tensor to check.
        expected: One entry per dimension: a size, or a letter such as ``'B'`` for a
            dimension of any size. A letter that occurs twice must have one size.
        like: Tensor on whose device ``tensor`` must be. Defaults to None: on any.

    Raises:
        TypeError: No tensor, a sparse one, or one of complex numbers.
        ValueError: Naming the expected and the given shape, or both devices.

    Example:
        >>> check_shape('image', torch.zeros(2, 3, 8, 8), ('B', 3, 'S', 'S'))
        >>> check_shape('image', torch.zeros(2, 3, 8, 9), ('B', 3, 'S', 'S'))
        Traceback (most recent call last):
            ...
        ValueError: image: expected shape (B, 3, S, S), got (2, 3, 8, 9).
    """
    check_tensor(name, tensor, like)
    given = tuple(tensor.shape)
    sizes: dict[str, int] = {}
    matches = len(given) == len(expected) and all(
        size == sizes.setdefault(want, size) if isinstance(want, str) else size == want
        for size, want in zip(given, expected)
    )
    if not matches:
        wanted = ', '.join(str(entry) for entry in expected)
        raise ValueError(f'{name}: expected shape ({wanted}), got {given}.')


def check_tensor(name: str, tensor: Tensor, like: Tensor | None = None) -> None:
    """Refuse what is no dense tensor of real numbers on the device of ``like``.

    Args:
        name: Argument name used in the message.
        tensor: The tensor to check, of any shape.
        like: Tensor on whose device it must be. Defaults to None: on any.

    Raises:
        TypeError: No tensor, a sparse one, or one of complex numbers.
        ValueError: Another device.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f'{name}: expected a tensor, got {type(tensor).__name__}.')
    if tensor.is_complex() or tensor.layout != torch.strided:
        raise TypeError(
            f'{name}: expected a dense tensor of real numbers, got {tensor.dtype}, '
            f'{tensor.layout}.'
        )
    if like is not None and tensor.device != like.device:
        raise ValueError(
            f'{name}: expected on the device of the other tensors, {like.device}, got '
            f'{tensor.device}.'
        )


def check_finite(name: str, tensor: Tensor, hint: str = '') -> None:
    """Refuse NaN and infinity.

    Args:
        name: Argument name used in the message.
        tensor: The tensor to check; integers are not looked at.
        hint: Sentence that follows in the message. Defaults to none.

    Raises:
        ValueError: ``tensor`` holds NaN or infinity.

    Example:
        >>> check_finite('maps', torch.tensor([0.5, torch.nan]))
        Traceback (most recent call last):
            ...
        ValueError: maps: expected finite numbers, got NaN or infinity.
    """
    if not tensor.is_floating_point():
        return
    # One such number makes the sum one too, which takes no memory; but it may overflow.
    total = tensor.detach().sum(dtype=to_full_precision(tensor.new_empty(0)).dtype)
    if not total.isfinite() and not tensor.isfinite().all():
        raise ValueError(
            f'{name}: expected finite numbers, got NaN or infinity.{hint and " "}{hint}'
        )


def check_within(
    name: str, tensor: Tensor, low: float, high: float, slack: float = 0.0
) -> None:
    """Refuse numbers outside ``[low, high]``, and NaN.

    Args:
        name: Argument name used in the message.
        tensor: The tensor to check.
        low: Smallest number.
        high: Largest number.
        slack: How far rounding may lead outside. Defaults to 0.0.

    Raises:
        ValueError: A number lies outside, or is NaN.

    Example:
        >>> check_within('edge', torch.tensor([0.5, 1.5]), 0, 1)
        Traceback (most recent call last):
            ...
        ValueError: edge: expected numbers in [0, 1], got 0.5 to 1.5.
    """
    if not tensor.numel():
        return
    if tensor.dtype == torch.bool:
        tensor = tensor.byte()
    least, most = torch.stack(tensor.aminmax()).tolist()
    if not (low - slack <= least and most <= high + slack):
        kind = 'numbers' if tensor.is_floating_point() else 'integers'
        found = 'NaN' if math.isnan(least) else f'{least} to {most}'
        raise ValueError(f'{name}: expected {kind} in [{low}, {high}], got {found}.')


def check_integers(name: str, tensor: Tensor) -> None:
    """Refuse a tensor of fractions where labels, indices or a mask are expected.

    Args:
        name: Argument name used in the message.
        tensor: The tensor to check.

    Raises:
        TypeError: Its type is no integer and not bool.
    """
    if tensor.is_floating_point():
        raise TypeError(
            f'{name}: expected integers or booleans, got {tensor.dtype}; convert it '
            'on purpose, .long() or .bool().'
        )


def check_pixels(name: str, points: Tensor, image: Tensor) -> None:
    """Refuse what are no pixels of an image.

    Args:
        name: Argument name used in the message.
        points: The tensor to check, (N, 2) integers ``(x, y)``.
        image: (..., H, W), on the same device.

    Raises:
        TypeError: Fractions.
        ValueError: Another shape, or a point outside the image.

    Example:
        >>> check_pixels('points', torch.tensor([[4, 0]]), torch.zeros(3, 4))
        Traceback (most recent call last):
            ...
        ValueError: points, x: expected integers in [0, 3], got 4 to 4.
    """
    check_shape(name, points, ('N', 2), like=image)
    check_integers(name, points)
    for axis, values, side in zip('xy', points.unbind(1), reversed(image.shape)):
        check_within(f'{name}, {axis}', values, 0, side - 1)


def check_floating(name: str, tensor: Tensor) -> None:
    """Refuse integers where a network expects features.

    Args:
        name: Argument name used in the message.
        tensor: The tensor to check.

    Raises:
        TypeError: Its type is no floating point.
    """
    if not tensor.is_floating_point():
        raise TypeError(f'{name}: expected floating-point numbers, got {tensor.dtype}.')


def as_integer(name: str, value: Any, least: int | None = None) -> int:
    """Return a setting as an integer of at least ``least``.

    Args:
        name: Argument name used in the message.
        value: Integer of Python or NumPy, or a tensor without dimensions.
        least: Smallest value. Defaults to None: any.

    Raises:
        ValueError: Naming the argument and what was given.

    Example:
        >>> as_integer('radius', np.int64(5), 2)
        5
        >>> as_integer('radius', True, 2)
        Traceback (most recent call last):
            ...
        ValueError: radius: expected an integer >= 2, got True.
    """
    try:
        # Of arrays and tensors those without dimensions only.
        scalar = value if getattr(value, 'ndim', 0) == 0 else None
        integer = None if _is_bool(scalar) else operator.index(scalar)
    except (TypeError, ValueError, RuntimeError):
        integer = None
    if integer is None or (least is not None and integer < least):
        wanted = '' if least is None else f' >= {least}'
        raise ValueError(f'{name}: expected an integer{wanted}, got {value!r}.')
    return integer


def as_number(name: str, value: Any, interval: str = '(-inf, inf)') -> float:
    """Return a setting as a finite number within an interval.

    Args:
        name: Argument name used in the message.
        value: Number of Python or NumPy, or a tensor without dimensions.
        interval: As mathematics writes it: ``'(0, 1]'`` excludes 0 and includes 1.
            Defaults to all finite numbers.

    Raises:
        ValueError: Naming the argument, the interval and what was given.

    Example:
        >>> as_number('beta', np.float32(0.5), '[0, 1)')
        0.5
        >>> as_number('beta', 1, '[0, 1)')
        Traceback (most recent call last):
            ...
        ValueError: beta: expected a number in [0, 1), got 1.
    """
    low, high = (float(bound) for bound in interval[1:-1].split(','))
    number = math.nan
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, Real) and not _is_bool(value):
        try:
            number = float(value)
        except OverflowError:  # an integer beyond all floats
            number = math.inf
    if not (
        math.isfinite(number)
        and (number > low or (number == low and interval[0] == '['))
        and (number < high or (number == high and interval[-1] == ']'))
    ):
        raise ValueError(f'{name}: expected a number in {interval}, got {value!r}.')
    return number


def as_labels(name: str, labels: Tensor, ignore_index: Any) -> tuple[Tensor, int]:
    """Return integer labels and the value of ignored pixels, which their type holds.

    Args:
        name: Argument name used in the message.
        labels: The tensor; booleans become uint8.
        ignore_index: The value.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: A value that is no integer, or too large for the labels' type.

    Example:
        >>> as_labels('labels', torch.tensor([True]), 255)
        (tensor([1], dtype=torch.uint8), 255)
    """
    check_integers(name, labels)
    labels = labels.byte() if labels.dtype == torch.bool else labels
    ignore_index = as_integer('ignore_index', ignore_index)
    limits = torch.iinfo(labels.dtype)
    if not limits.min <= ignore_index <= limits.max:
        raise ValueError(
            f'ignore_index: expected an integer that {labels.dtype} holds, the type of '
            f'{name}, got {ignore_index}.'
        )
    return labels, ignore_index


def as_size(name: str, size: Any, least: int = 0) -> tuple[int, int]:
    """Return ``(height, width)`` as two integers.

    Args:
        name: Argument name used in the message.
        size: Two integers.
        least: Smallest side. Defaults to 0.

    Raises:
        ValueError: Naming the argument and what was given.
    """
    try:
        height, width = size
        return as_integer(name, height, least), as_integer(name, width, least)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'{name}: expected (height, width), two integers >= {least}, got {size!r}.'
        ) from error


def as_box(name: str, box: np.ndarray, size: tuple[int, int]) -> tuple[int, ...]:
    """Return a box of pixels as four integers.

    Args:
        name: Argument name used in the message.
        box: (4,) integers ``x0, y0, x1, y1``.
        size: ``(H, W)`` of the image.

    Raises:
        TypeError: No integers.
        ValueError: Another shape, no pixel in it, or it leaves the image.

    Example:
        >>> as_box('box', np.array([0, 0, 3, 2]), (2, 3))
        (0, 0, 3, 2)
    """
    box = np.asarray(box)
    if box.shape != (4,):
        raise ValueError(f'{name}: expected shape (4,), got {box.shape}.')
    if box.dtype.kind not in 'iu':
        raise TypeError(f'{name}: expected integers, got {box.dtype}.')
    x0, y0, x1, y1 = box.tolist()
    if not (0 <= x0 < x1 <= size[1] and 0 <= y0 < y1 <= size[0]):
        raise ValueError(
            f'{name}: expected x0 < x1 and y0 < y1 in the image of {size[1]} x '
            f'{size[0]} pixels, got {(x0, y0, x1, y1)}.'
        )
    return x0, y0, x1, y1


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse a setting that is none of the names that it may have.

    Args:
        name: Argument name used in the message.
        value: What was given.
        choices: The names.

    Raises:
        ValueError: Naming the argument, the choices and what was given.

    Example:
        >>> check_choice('order', 'up', ('left', 'right'))
        Traceback (most recent call last):
            ...
        ValueError: order: expected one of 'left', 'right', got 'up'.
    """
    if not isinstance(value, str) or value not in choices:
        wanted = ', '.join(map(repr, choices))
        raise ValueError(f'{name}: expected one of {wanted}, got {value!r}.')


def as_mask(mask: Any) -> np.ndarray:
    """Return a mask as a two-dimensional array of booleans.

    Args:
        mask: (H, W): booleans, or numbers that are 0 outside.

    Raises:
        ValueError: Not two-dimensional, or NaN or infinity.

    Example:
        >>> as_mask([[0, 2]])
        array([[False,  True]])
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f'mask must have shape (H, W), given {mask.shape}')
    if mask.dtype.kind == 'f' and not np.isfinite(mask).all():
        raise ValueError('mask must be 0 or 1, given NaN or infinity')
    if mask.dtype.kind not in 'buif':
        raise TypeError(f'mask must be bool or 0 and 1, given {mask.dtype}')
    return mask if mask.dtype == bool else mask != 0


def as_label_map(name: str, label_map: Any) -> np.ndarray:
    """Return a map of labels as a two-dimensional array of integers or booleans.

    Args:
        name: Argument name used in the message.
        label_map: (H, W) array, or tensor on any device.

    Raises:
        TypeError: No integers.
        ValueError: Not two-dimensional.

    Example:
        >>> as_label_map('ids', torch.tensor([[0, 2]]))
        array([[0, 2]])
    """
    if isinstance(label_map, Tensor):
        check_shape(name, label_map, ('H', 'W'))
        check_integers(name, label_map)
        return label_map.detach().cpu().numpy()
    label_map = np.asarray(label_map)
    if label_map.ndim != 2:
        raise ValueError(f'{name}: expected shape (H, W), got {label_map.shape}.')
    if label_map.dtype.kind not in 'bui':
        raise TypeError(
            f'{name}: expected integers or booleans, got {label_map.dtype}; convert it '
            'on purpose, .astype(int) or .astype(bool).'
        )
    return label_map


def _is_bool(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_)) or (
        isinstance(value, Tensor) and value.dtype == torch.bool
    )


def to_full_precision(tensor: Tensor) -> Tensor:
    """Return float64 as it is and everything else as float32."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def full_precision(tensor: Tensor) -> torch.autocast:
    """Return a context that switches autocast off on the device of ``tensor``."""
    return torch.autocast(tensor.device.type, enabled=False)


def divide(tensor: Tensor, number: float) -> Tensor:
    """Divide by a number, rounded alike on every device.

    CUDA multiplies by the reciprocal of a Python number, which may differ in the last
    bit; where numbers are rounded to integers afterwards, a bit can be one.
    """
    return tensor / torch.tensor(number, dtype=tensor.dtype, device=tensor.device)
