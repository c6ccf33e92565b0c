"""Masks as bits, 64 pixels a word: what two share is counted, not looped over."""

import numpy as np

_WORD_BYTES = 8
# Bits of every byte, for NumPy before 2.0.
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1)


def pack_bits(masks: np.ndarray) -> np.ndarray:
    """Pack masks into words.

    Args:
        masks: (N, P) bool, P pixels each.

    Returns:
        (N, ceil(P / 64)) uint64; the last word ends with zeros.

    Raises:
        TypeError: Other numbers.

    Example:
        >>> pack_bits(np.ones((2, 65), dtype=bool)).shape
        (2, 2)
    """
    if masks.dtype != bool:
        raise TypeError(f'masks: expected booleans, got {masks.dtype}.')
    packed = np.packbits(masks, axis=1)
    words = np.zeros((len(masks), -(-packed.shape[1] // _WORD_BYTES)), dtype=np.uint64)
    words.view(np.uint8)[:, : packed.shape[1]] = packed
    return words


def count_bits(words: np.ndarray) -> np.ndarray:
    """Count the bits that are set in every row.

    Args:
        words: (N, W) uint64.

    Returns:
        (N,) int64.

    Raises:
        TypeError: Other numbers.

    Example:
        >>> count_bits(np.array([[3, 1], [0, 255]], dtype=np.uint64))
        array([3, 8])
    """
    if words.dtype != np.uint64:
        raise TypeError(f'words: expected uint64, got {words.dtype}.')
    if hasattr(np, 'bitwise_count'):
        return np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    octets = np.ascontiguousarray(words).view(np.uint8)
    return _BITS_OF_BYTE[octets].sum(axis=1, dtype=np.int64)
