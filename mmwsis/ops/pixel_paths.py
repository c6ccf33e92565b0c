"""Pairs of near pixels and the pixels between them (IRNet, CVPR 2019, section 4)."""

import math
from functools import lru_cache
from typing import NamedTuple

from .tensor_checks import as_integer

Offset = tuple[int, int]


class SourceWindow(NamedTuple):
    """The pixels of a grid from which every direction stays inside.

    Attributes:
        rows: Slice of the grid's rows.
        cols: Slice of the grid's columns.
        height: Number of these rows.
        width: Number of these columns.
    """

    rows: slice
    cols: slice
    height: int
    width: int


def pixel_directions(radius: int) -> tuple[Offset, ...]:
    r"""Offsets from a source pixel to its destinations, one of each opposite pair.

    The pairs :math:`\mathcal{P} = \{(i, j) : \|x_i - x_j\|_2 < \gamma\}` (Eq. 2 of
    `IRNet <https://arxiv.org/abs/1904.05044>`__): all ``(dy, dx)`` shorter than the
    radius with ``dy > 0`` or ``dy = 0 < dx``, by the length of their
    :func:`pixel_paths`, then in raster order.

    Args:
        radius: Pairs are nearer than this, in pixels; at least 2.

    Returns:
        4, 12, 34, 72, 152 offsets for a radius of 2, 3, 5, 7, 10.

    Raises:
        ValueError: ``radius`` is no integer of at least 2.

    Example:
        >>> pixel_directions(2)
        ((0, 1), (1, 0), (1, -1), (1, 1))
    """
    return _directions(as_integer('radius', radius, 2))


def pixel_paths(radius: int) -> tuple[tuple[Offset, ...], ...]:
    r"""Offsets of the pixels on the line from a source to each destination.

    The paths :math:`\Pi_{ij}` (Eq. 7 of `IRNet <https://arxiv.org/abs/1904.05044>`__).
    A path holds the pixels of the box spanned by both ends whose distance from the
    line is below 1, the farthest ``|dy| + |dx|`` first (raster order among equals):
    the destination first, the source last.

    Args:
        radius: Pairs are nearer than this, in pixels; at least 2.

    Returns:
        One path for each of :func:`pixel_directions`.

    Raises:
        ValueError: ``radius`` is no integer of at least 2.

    Example:
        >>> pixel_paths(2)[2]  # down to the left: both neighbours are near the line
        ((1, -1), (0, -1), (1, 0), (0, 0))
    """
    return _paths(as_integer('radius', radius, 2))


# Kept by a radius that is checked already: to a cache 2.0 and True are 2 and 1.
@lru_cache(maxsize=32)
def _directions(radius: int) -> tuple[Offset, ...]:
    return tuple(path[0] for path in _paths(radius))


@lru_cache(maxsize=32)
def _paths(radius: int) -> tuple[tuple[Offset, ...], ...]:
    directions = [(0, dx) for dx in range(1, radius)]
    directions += [
        (dy, dx)
        for dy in range(1, radius)
        for dx in range(1 - radius, radius)
        if dy * dy + dx * dx < radius * radius
    ]
    return tuple(sorted(map(_path, directions), key=len))


def _path(direction: Offset) -> tuple[Offset, ...]:
    dy, dx = direction
    left, right = min(0, dx), max(0, dx)
    # The distance of (y, x) from the line is |dy x - dx y| / sqrt(dy^2 + dx^2). It is
    # below 1 where |dy x - dx y| <= reach, which bounds x in each row of the box that
    # (0, 0) and (dy, dx) span.
    reach = math.isqrt(dy * dy + dx * dx - 1)
    near = []
    for y in range(dy + 1):
        if dy:
            left = max(min(0, dx), -((reach - dx * y) // dy))
            right = min(max(0, dx), (dx * y + reach) // dy)
        near += [(y, x) for x in range(left, right + 1)]
    return tuple(sorted(near, key=lambda point: -(point[0] + abs(point[1]))))


def source_window(radius: int, height: int, width: int) -> SourceWindow:
    """Return the sources of training pairs: rows 0..h-R-1, columns R..w-R-1.

    ``R = radius - 1``; from there no direction leaves the grid.

    Args:
        radius: Radius of the pairs in pixels.
        height: Height of the grid in pixels.
        width: Width of the grid in pixels.

    Returns:
        Rows and columns of the sources.

    Raises:
        ValueError: The grid has no such pixel.

    Example:
        >>> source_window(2, height=3, width=4)
        SourceWindow(rows=slice(0, 2, None), cols=slice(1, 3, None), height=2, width=2)
    """
    reach = as_integer('radius', radius, 2) - 1
    height, width = as_integer('height', height), as_integer('width', width)
    if height <= reach or width <= 2 * reach:
        raise ValueError(
            f'A grid of {height}x{width} pixels has no source pixel for radius '
            f'{radius}: expected at least {reach + 1}x{2 * reach + 1}. Use larger '
            'crops (IRNet works on their stride-4 grid) or a smaller radius.'
        )
    return SourceWindow(
        slice(0, height - reach),
        slice(reach, width - reach),
        height - reach,
        width - 2 * reach,
    )


def directions_by_side(radius: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices of the directions with ``dx >= 0``, and of those with ``dx < 0``.

    On each side the order along every path is the restriction of one order of the
    whole grid, which is what :func:`mmwsis.ops.path_affinity.rank_pixels` needs.

    Args:
        radius: Pairs are nearer than this, in pixels; at least 2.

    Example:
        >>> directions_by_side(2)
        ((0, 1, 3), (2,))
    """
    sides = ([], [])
    for index, (_, dx) in enumerate(pixel_directions(radius)):
        sides[dx < 0].append(index)
    return tuple(sides[0]), tuple(sides[1])


class PathRun(NamedTuple):
    """A straight run of ``length`` pixels (1, 2 or 4), its first at an offset."""

    offset: Offset
    length: int
    vertical: bool


def path_runs(radius: int) -> tuple[tuple[PathRun, ...], ...]:
    """Cover each path of :func:`pixel_paths` with few straight runs, overlapping ones.

    A maximum does not mind a pixel counted twice, and maxima of runs serve many paths:
    for radius 10 a third of the operations that single pixels would need.

    Args:
        radius: Pairs are nearer than this, in pixels; at least 2.

    Returns:
        The runs of each direction; none leaves its path.

    Example:
        >>> path_runs(2)[0]  # a pixel and its right neighbour are one run
        (PathRun(offset=(0, 0), length=2, vertical=False),)
    """
    return _path_runs(as_integer('radius', radius, 2))


@lru_cache(maxsize=32)
def _path_runs(radius: int) -> tuple[tuple[PathRun, ...], ...]:
    return tuple(map(_cover, _paths(radius)))


def _cover(path: tuple[Offset, ...]) -> tuple[PathRun, ...]:
    """Take the run that covers the most pixels still uncovered, until none is."""
    pixels, uncovered = set(path), set(path)
    # Every run that starts on the path and stays on it, with the pixels that it covers.
    candidates = []
    for run in (
        PathRun(offset, length, vertical)
        for length in (1, 2, 4)
        for vertical in (False, True)
        for offset in path
    ):
        covered = run_pixels(run)
        if covered <= pixels:
            candidates.append((run, covered))
    runs = []
    while uncovered:
        run, covered = max(candidates, key=lambda entry: len(entry[1] & uncovered))
        uncovered -= covered
        runs.append(run)
    return tuple(runs)


def run_pixels(run: PathRun) -> set[Offset]:
    """Return the offsets of the pixels of a run."""
    (y, x), length, vertical = run
    return {(y + i * vertical, x + i * (not vertical)) for i in range(length)}
