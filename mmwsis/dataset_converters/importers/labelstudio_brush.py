"""Label Studio's brush masks: run-length coded RGBA pictures (npm package rle-pack)."""

from typing import Any

import numpy as np

_CHANNELS, _ALPHA = 4, 3
_WORD = 8  # bits of a value


def decode_brush(rle: Any, width: int, height: int) -> np.ndarray:
    """Mask of a brush region, as Label Studio's own converter makes it.

    A stream of bits: the number of values (32 bits), the bits of a value less one (5),
    four lengths of counts less one (4 each); then runs of a flag, the number of their
    length (2 bits), a count less one, and one value for all or one each.

    Args:
        rle: ``value.rle``, a list of bytes.
        width: Of the image, in pixels.
        height: Of the image, in pixels.

    Returns:
        uint8 (height, width), 1 where the brush left any colour.

    Raises:
        ValueError: It is no such stream, or one of another size.
    """
    if not isinstance(rle, list) or not all(
        isinstance(byte, int) and 0 <= byte < 2**_WORD for byte in rle
    ):
        raise ValueError('rle must be a list of bytes')
    bits = _Bits(np.array(rle, dtype=np.uint8))
    size = bits.number(32)
    if size != width * height * _CHANNELS:
        raise ValueError(
            f'the stream has {size} values, {width}x{height} pixels need '
            f'{width * height * _CHANNELS}'
        )
    if bits.number(5) + 1 != _WORD:
        raise ValueError('the values of the stream are no bytes')
    lengths = [bits.number(4) + 1 for _ in range(4)]
    values = np.zeros(size, dtype=np.uint8)
    start = 0
    while start < size:
        is_run = bits.number(1)
        stop = min(start + bits.number(lengths[bits.number(2)]) + 1, size)
        values[start:stop] = bits.bytes(1 if is_run else stop - start)
        start = stop
    return (values[_ALPHA::_CHANNELS].reshape(height, width) > 0).astype(np.uint8)


class _Bits:
    """Reader of a stream, the highest bit of a byte first."""

    def __init__(self, data: np.ndarray) -> None:
        self._bits, self._position = np.unpackbits(data), 0

    def _take(self, count: int) -> np.ndarray:
        taken = self._bits[self._position : self._position + count]
        if len(taken) < count:
            raise ValueError('the stream ends too early')
        self._position += count
        return taken

    def number(self, count: int) -> int:
        return int(''.join(map(str, self._take(count))), 2)

    def bytes(self, count: int) -> np.ndarray:
        return np.packbits(self._take(count * _WORD))
