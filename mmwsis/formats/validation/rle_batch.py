"""Run-length encodings of many masks at once, checked without pycocotools.

pycocotools trusts its input: broken counts end the process or give wrong masks. The
runs are therefore decompressed here, for a whole batch in a few NumPy calls.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_MAX_CHARACTERS = 7  # 35 bits: more than any image has pixels


class RunBatch(NamedTuple):
    """Runs of many RLEs, one after the other.

    Attributes:
        runs: int64 (r,), lengths of 0s and 1s in turn, column-major.
        starts: int64 (n,), first run of each RLE.
        counts: int64 (n,), number of runs of each; 0 where it is broken.
    """

    runs: np.ndarray
    starts: np.ndarray
    counts: np.ndarray


class MaskStatistics(NamedTuple):
    """What is known of each RLE of a batch.

    Attributes:
        sound: bool (n,), no negative run, and they add up to the image.
        total: int64 (n,), sum of the runs; 0 where the counts are broken.
        area: int64 (n,), pixels of the mask.
        boxes: float64 (n, 4), tight ``[x, y, width, height]``; NaN if empty.
    """

    sound: np.ndarray
    total: np.ndarray
    area: np.ndarray
    boxes: np.ndarray


def decompress(counts: Sequence[bytes]) -> RunBatch:
    """Undo COCO's compression.

    Every character holds five bits and says whether more follow; from the fourth run
    of an RLE on, the difference to the run before the last is stored.

    Args:
        counts: The ``counts`` of n compressed RLEs.

    Returns:
        Their runs.
    """
    lengths = np.fromiter(map(len, counts), np.int64, len(counts))
    chars = np.frombuffer(b''.join(counts), dtype=np.uint8).astype(np.int64) - 48
    owner = np.repeat(np.arange(len(counts)), lengths)
    more = (chars & 0x20) != 0
    broken = np.zeros(len(counts), dtype=bool)
    broken[owner[(chars < 0) | (chars > 63)]] = True
    broken |= lengths == 0
    last = np.cumsum(lengths) - 1
    filled = lengths > 0
    broken[filled] |= more[last[filled]]
    keep = ~broken[owner]
    chars, owner, more = chars[keep], owner[keep], more[keep]
    ends = np.flatnonzero(~more)
    begins = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)[: len(ends)]
    widths = ends - begins + 1
    run_owner = owner[ends]
    too_long = widths > _MAX_CHARACTERS
    if too_long.any():
        broken[run_owner[too_long]] = True
        keep = ~broken[owner]
        survivors = [c for c, bad in zip(counts, broken) if not bad]
        batch = decompress(survivors)
        all_counts = np.zeros(len(counts), dtype=np.int64)
        all_counts[~broken] = batch.counts
        return RunBatch(batch.runs, _starts(all_counts), all_counts)
    shifts = 5 * (np.arange(len(chars)) - np.repeat(begins, widths))
    values = (
        np.add.reduceat((chars & 0x1F) << shifts, begins)
        if len(ends)
        else np.zeros(0, dtype=np.int64)
    )
    negative = (chars[ends] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * widths[negative])
    run_counts = np.bincount(run_owner, minlength=len(counts))
    starts = _starts(run_counts)
    return RunBatch(_integrate(values, starts, run_counts), starts, run_counts)


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.cumsum(counts) - counts


def _integrate(
    values: np.ndarray, starts: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Sum up the differences: runs 1, 3, 5, ... and 2, 4, 6, ... of each RLE."""
    position = np.arange(len(values)) - np.repeat(starts, counts)
    out = np.empty_like(values)
    for parity in (0, 1):
        chain = (position % 2 == parity) & (position > 0)
        sums = np.cumsum(values[chain])
        first = position[chain] == (1 if parity else 2)
        before = (sums - values[chain])[first]  # What earlier RLEs have added.
        out[chain] = sums - before[np.cumsum(first) - 1] if len(before) else sums
    out[position == 0] = values[position == 0]
    return out


def mask_statistics(
    batch: RunBatch, heights: np.ndarray, widths: np.ndarray
) -> MaskStatistics:
    """Areas and tight boxes of masks, without decoding them.

    Args:
        batch: Runs of n RLEs.
        heights: int64 (n,), image heights in pixels.
        widths: int64 (n,), image widths in pixels.

    Returns:
        The statistics.
    """
    runs, starts, counts = batch
    n = len(counts)
    owner = np.repeat(np.arange(n), counts)
    total = _sum_by(owner, runs, n)
    lowest = np.zeros(n, dtype=np.int64)
    np.minimum.at(lowest, owner[runs < 0], runs[runs < 0])
    sound = (counts > 0) & (lowest >= 0) & (total == heights * widths)
    position = np.arange(len(runs)) - np.repeat(starts, counts)
    ends = np.cumsum(runs)
    base = np.concatenate([[0], ends])[starts] if len(runs) else np.zeros(n, np.int64)
    filled = (position % 2 == 1) & (runs > 0) & sound[owner]
    owner, runs = owner[filled], runs[filled]
    area = _sum_by(owner, runs, n)
    boxes = np.full((n, 4), np.nan)
    if len(owner):
        stop = ends[filled] - base[owner]
        _fill_boxes(boxes, owner, stop - runs, stop - 1, heights[owner])
    return MaskStatistics(sound, total, area, boxes)


def _sum_by(owner: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    sums = np.zeros(n, dtype=np.int64)
    firsts = np.flatnonzero(np.diff(owner, prepend=-1))
    if len(firsts):
        sums[owner[firsts]] = np.add.reduceat(values, firsts)
    return sums


def _fill_boxes(
    boxes: np.ndarray,
    owner: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    heights: np.ndarray,
) -> None:
    """Tight boxes of runs from pixel ``first`` to ``last``, sorted by owner."""
    x0, x1 = first // heights, last // heights
    wraps = x0 != x1
    y0 = np.where(wraps, 0, first % heights)
    y1 = np.where(wraps, heights - 1, last % heights)
    groups = np.flatnonzero(np.diff(owner, prepend=-1))
    low_x, low_y = (np.minimum.reduceat(v, groups) for v in (x0, y0))
    high_x, high_y = (np.maximum.reduceat(v, groups) for v in (x1, y1))
    box = [low_x, low_y, high_x - low_x + 1, high_y - low_y + 1]
    boxes[owner[groups]] = np.stack(box, axis=1)
