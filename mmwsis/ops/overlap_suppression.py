"""Dropping masks that repeat a better one."""

import numpy as np

from .bit_masks import count_bits


def suppress_overlaps(words: np.ndarray, max_overlap: float, max_num: int) -> list[int]:
    """Keep a mask unless one that was kept before overlaps it too much.

    Greedy non-maximum suppression, on bits: the masks are sorted by area, of which an
    IoU is at most the ratio, so that every kept mask meets a few neighbours only.

    Args:
        words: (N, W) of :func:`~mmwsis.ops.bit_masks.pack_bits`, the best mask first.
        max_overlap: Largest IoU of two masks that are kept, in (0, 1].
        max_num: Masks that are kept at most.

    Returns:
        Indices of the kept masks, ascending.

    Example:
        >>> from mmwsis.ops.bit_masks import pack_bits
        >>> masks = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
        >>> suppress_overlaps(pack_bits(masks.astype(bool)), 0.7, 1000)
        [0, 2]
    """
    areas = count_bits(words)
    order = np.argsort(areas, kind='stable')
    words, areas = words[order], areas[order]
    place = np.argsort(order)
    # One pixel more on either side, for the rounding.
    low = np.searchsorted(areas, areas * max_overlap - 1)
    high = np.searchsorted(areas, areas / max_overlap + 1)
    alive = np.ones(len(areas), dtype=bool)
    kept: list[int] = []
    for index, own in enumerate(place):
        if len(kept) == max_num:
            break
        if not alive[own]:
            continue
        kept.append(index)
        used = np.flatnonzero(words[own])
        if not len(used):
            continue
        near, columns = slice(low[own], high[own]), slice(used[0], used[-1] + 1)
        shared = count_bits(words[near, columns] & words[own, columns])
        union = areas[near] + areas[own] - shared
        alive[near] &= shared / union <= max_overlap
    return kept
