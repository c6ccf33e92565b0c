"""Run-length codes of many masks of one size at once, without decoding them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

# Arrays of so many masks stay in the processor's cache, which takes half the time.
_BLOCK = 64
_MAX_CHARACTERS = 7  # 35 bits of an integer: more than any image has pixels


@dataclass(frozen=True, eq=False)
class RunLengths:
    """Masks of one size as the places where they change, down the columns.

    Pixels of all masks are counted in one row: pixel ``(x, y)`` of mask ``n`` is number
    ``n * H * W + x * H + y``. One binary search then finds it in any of the masks.

    Attributes:
        ends: ``(R,)`` int64, ascending: where each run ends. Runs of 0s and 1s come in
            turn, and every mask begins with one of 0s, which may be empty.
        first: ``(N + 1,)`` int64, index of the first run of each mask; then R.
        size: ``(H, W)`` in pixels.
    """

    ends: np.ndarray
    first: np.ndarray
    size: tuple[int, int]

    @classmethod
    def from_rles(
        cls, rles: Sequence[Mapping[str, Any]], size: tuple[int, int]
    ) -> 'RunLengths':
        """Unpack compressed RLEs, all together.

        Args:
            rles: N times ``{'size': [H, W], 'counts': str | bytes}``.
            size: ``(H, W)`` that all have.

        Raises:
            ValueError: Counts are damaged, or do not add up to the image.

        Example:
            >>> rle = dict(size=[2, 3], counts='132')  # one 0, three 1s, two 0s
            >>> RunLengths.from_rles([rle, rle], (2, 3)).ends
            array([ 1,  4,  6,  7, 10, 12])
        """
        height, width = int(size[0]), int(size[1])
        if not rles:
            return cls(np.zeros(0, np.int64), np.zeros(1, np.int64), (height, width))
        found = decompress_counts([rle['counts'] for rle in rles])
        valid = all(list(rle['size']) == [height, width] for rle in rles)
        if valid and found is not None and found[0].min() >= 0:
            runs, first = found
            ends = runs.cumsum(out=runs)
            whole = np.arange(1, len(first)) * (height * width)
            if (ends[first[1:] - 1] == whole).all():
                return cls(ends, first, (height, width))
        raise ValueError(
            f'not all of the {len(rles)} RLEs are masks of {height} x {width} pixels '
            '(height x width).'
        )

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def areas(self) -> np.ndarray:
        """Pixels of each mask, (N,) int64."""
        owner, start, stop = self.spans
        return np.bincount(owner, stop - start, len(self)).astype(np.int64)

    @property
    def spans(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the runs of ones as ``(owner, start, stop)``, each ``(S,)`` int64.

        ``owner`` is the mask; start and stop count its own pixels, down the columns.
        """
        counts = np.diff(self.first)
        owner = np.repeat(np.arange(len(self)), counts)
        is_one = (np.arange(len(self.ends)) - self.first[owner]) % 2 == 1
        is_one[1:] &= self.ends[1:] > self.ends[:-1]
        runs = np.flatnonzero(is_one)
        owner = owner[runs]
        offset = owner * (self.size[0] * self.size[1])
        return owner, self.ends[runs - 1] - offset, self.ends[runs] - offset

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether masks cover pixels; a binary search for each pair, no decoding.

        Args:
            x: ``(K,)`` columns inside the image.
            y: ``(K,)`` rows inside the image.

        Returns:
            ``(K, N)`` bool.

        Example:
            >>> masks = RunLengths.from_rles([dict(size=[2, 3], counts='132')], (2, 3))
            >>> masks.at(np.array([0, 1]), np.array([0, 0]))
            array([[False],
                   [ True]])
        """
        height, width = self.size
        pixel = np.asarray(x, np.int64) * height + np.asarray(y, np.int64)
        number = pixel[:, None] + np.arange(len(self)) * (height * width)
        run = np.searchsorted(self.ends, number, side='right')
        return (run - self.first[:-1]) % 2 == 1

    def gathered(self, rows: np.ndarray, columns: np.ndarray) -> 'RunLengths':
        """Resize, cut, pad and mirror masks: ``out[y, x] = in[rows[y], columns[x]]``.

        Args:
            rows: ``(H2,)`` integers, source row of every row; -1 is outside and
                becomes 0. Apart from these they ascend or descend, equal ones allowed.
            columns: ``(W2,)`` integers, the same for columns.

        Raises:
            ValueError: Rows or columns jump to and fro.
        """
        height, width = len(rows), len(columns)
        owner, column, top, bottom = self._split_at_columns()
        edges, reversed_rows = _preimages('rows', rows, self.size[0])
        upper, lower = edges[top], edges[bottom]
        if reversed_rows:
            upper, lower = lower, upper
        edges, reversed_columns = _preimages('columns', columns, self.size[1])
        left, right = edges[column], edges[column + 1]
        if reversed_columns:
            left, right = right, left
        copies = np.where(lower > upper, right - left, 0)
        pick = np.repeat(np.arange(len(copies)), copies)
        x = left[pick] + _count_up(copies)
        offset = owner[pick] * (height * width) + x * height
        return _from_spans(
            offset + upper[pick], offset + lower[pick], len(self), (height, width)
        )

    def _split_at_columns(
        self,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Runs of 1s within one column: mask, column, first row, row behind."""
        owner, start, stop = self.spans
        height = self.size[0]
        first, last = start // height, (stop - 1) // height
        parts = last - first + 1
        pick = np.repeat(np.arange(len(parts)), parts)
        column = first[pick] + _count_up(parts)
        top = np.where(column == first[pick], start[pick] % height, 0)
        end = np.where(column == last[pick], (stop[pick] - 1) % height + 1, height)
        return owner[pick], column, top, end

    def to_rles(self) -> list[dict[str, Any]]:
        """Compressed RLEs, byte for byte those of ``pycocotools.mask.encode``."""
        height, width = self.size
        runs = np.diff(self.ends, prepend=0).tolist()
        rles = []
        for begin, end in zip(self.first[:-1].tolist(), self.first[1:].tolist()):
            counts = runs[begin:end]
            if len(counts) > 1 and not counts[-1]:
                counts.pop()  # pycocotools writes no run of 0s after the last pixel.
            code = dict(size=[height, width], counts=counts)
            rles.append(coco_mask.frPyObjects(code, height, width))
        return rles


def decompress_counts(
    counts: Sequence[str | bytes],
) -> tuple[np.ndarray, np.ndarray] | None:
    """Undo COCO's compression of RLEs.

    Every character holds five bits and says whether more follow; from the fourth run
    on, the difference to the run before the last is stored.

    Args:
        counts: N texts; at least one.

    Returns:
        ``(runs, first)``: int64 run lengths of all masks, and ``(N + 1,)`` index of the
        first run of each; None if no RLE has such counts.
    """
    parts = []
    for begin in range(0, len(counts), _BLOCK):
        part = _decompress(counts[begin : begin + _BLOCK])
        if part is None:
            return None
        parts.append(part)
    runs = np.concatenate([own for own, _ in parts])
    number = np.concatenate([np.diff(first) for _, first in parts])
    return runs, np.append(0, number.cumsum())


def _decompress(
    counts: Sequence[str | bytes],
) -> tuple[np.ndarray, np.ndarray] | None:
    """:func:`decompress_counts` of some masks."""
    packed = [c.encode('utf-8', 'replace') if isinstance(c, str) else c for c in counts]
    stops = np.cumsum([len(text) for text in packed])
    chars = np.frombuffer(b''.join(packed), dtype=np.uint8)
    if not all(packed) or chars.min() < 48 or chars.max() > 48 + 63:
        return None
    chars = chars - np.uint8(48)
    is_last = chars < 0x20
    if not is_last[stops - 1].all():
        return None  # Cut off: the last run goes on.
    ends = np.flatnonzero(is_last)
    # The highest bit of the last character is the sign.
    runs = (chars[is_last] ^ np.uint8(0x10)).astype(np.int64) - 0x10
    # Few runs have characters before the last one.
    others = np.flatnonzero(~is_last)
    owner = np.searchsorted(ends, others)
    place = ends[owner] - others
    if place.max(initial=0) >= _MAX_CHARACTERS:
        return None
    for distance in range(1, place.max(initial=0) + 1):
        pick = place == distance
        longer, bits = owner[pick], chars[others[pick]] & np.uint8(0x1F)
        runs[longer] = (runs[longer] << 5) + bits
    first = np.append(0, np.searchsorted(ends, stops))
    return _undo_differences(runs, first), first


def _undo_differences(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Add up every other value of each mask; the first three stand alone."""
    alone = first[:-1, None] + np.arange(3)
    alone = alone[alone < first[1:, None]]
    runs = np.empty_like(values)
    for parity in (0, 1):
        own = values[parity::2]
        sums = np.append(0, own.cumsum())
        # Where sums begin anew, what they were is taken away, and they are made again.
        begin = alone[alone % 2 == parity] // 2
        own[begin] -= np.diff(sums[begin], prepend=0)
        own.cumsum(out=runs[parity::2])
    return runs


def _count_up(lengths: np.ndarray) -> np.ndarray:
    """``0..n-1`` for every n of ``lengths``, one after the other."""
    stops = lengths.cumsum()
    return np.arange(stops[-1] if len(stops) else 0) - np.repeat(
        stops - lengths, lengths
    )


def _preimages(name: str, index: np.ndarray, size: int) -> tuple[np.ndarray, bool]:
    """Where each source position goes.

    Returns:
        ``edges`` (size + 1,): position p goes to ``edges[p]..edges[p + 1] - 1``, or if
        the second value is true, to ``edges[p + 1]..edges[p] - 1``.
    """
    index = np.asarray(index)
    inside = np.flatnonzero(index >= 0)
    source = index[inside]
    steps = np.diff(source)
    is_reversed = bool(len(steps) and steps.min() < 0)
    if (is_reversed and steps.max() > 0) or (np.diff(inside) != 1).any():
        raise ValueError(f'{name} must ascend or descend without gaps, got {index}.')
    if is_reversed:
        edges = len(source) - np.searchsorted(source[::-1], np.arange(size + 1))
    else:
        edges = np.searchsorted(source, np.arange(size + 1))
    return edges + (inside[0] if len(inside) else 0), is_reversed


def _from_spans(
    start: np.ndarray, stop: np.ndarray, count: int, size: tuple[int, int]
) -> RunLengths:
    """Masks of spans that do not overlap, in pixels of all masks, in any order."""
    total = size[0] * size[1]
    order = np.argsort(start)
    start, stop = start[order], stop[order]
    # Spans that touch are one, unless they belong to two masks.
    touch = (start[1:] == stop[:-1]) & (start[1:] % max(total, 1) > 0)
    start = start[np.append(True, ~touch)[: len(start)]]
    stop = stop[np.append(~touch, True)[: len(stop)]]
    spans = np.bincount(start // max(total, 1), minlength=count)
    limits = np.arange(1, count + 1) * total
    ends = np.sort(np.concatenate([start, stop, limits]))
    return RunLengths(ends, np.append(0, (2 * spans + 1).cumsum()), size)
