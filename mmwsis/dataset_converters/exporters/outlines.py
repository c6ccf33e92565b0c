"""Outlines of masks along the edges of pixels, and back to one ring.

A ring is an ``(n, 2)`` array of corners ``x, y`` without a closing one; pixel ``i``
covers ``[i, i + 1]``. Whoever fills such rings by the centres of pixels, as pycocotools
does, gets the same mask back.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from mmwsis.formats.coco_masks import MIN_VERTICES

Ring = np.ndarray


class Part(NamedTuple):
    """One 4-connected component of a mask.

    Attributes:
        shell: Its outer ring.
        holes: The rings of its holes.
    """

    shell: Ring
    holes: list[Ring]


def trace_parts(mask: np.ndarray, offset: tuple[int, int] = (0, 0)) -> list[Part]:
    """Outline a mask along the edges of its pixels.

    Args:
        mask: 0/1 array (h, w).
        offset: ``(x, y)`` of its first pixel in the image. Defaults to the origin.

    Returns:
        Its 4-connected components, from large to small; none for an empty mask.

    Example:
        >>> trace_parts(np.array([[0, 1, 1]]))[0].shell.tolist()
        [[1, 0], [3, 0], [3, 1], [1, 1]]
    """
    padded = np.pad(np.asarray(mask, dtype=np.uint8), 1)
    _, labels = cv2.connectedComponents(padded, connectivity=4)
    rings: dict[int, list[Ring]] = {}
    for ring in _trace_rings(padded):
        (x, y), (right, _) = ring[0], ring[1]
        column = min(x, right)
        # The edge between these two pixels has the component on one side only.
        label = max(labels[y - 1, column], labels[y, column])
        rings.setdefault(int(label), []).append(ring)
    parts = []
    for own in rings.values():
        own.sort(key=ring_area, reverse=True)
        shell, *holes = (ring + np.array(offset) - 1 for ring in own)
        parts.append(Part(shell, holes))
    return sorted(parts, key=lambda part: ring_area(part.shell), reverse=True)


def _trace_rings(padded: np.ndarray) -> list[Ring]:
    """All rings, each starting with a horizontal edge.

    Corners follow each other on a line of pixel edges in pairs: the first two are the
    ends of one edge, the next two of another. Where two components touch with their
    corners, the corner counts twice, and each of the two keeps its own.
    """
    a, b = padded[:-1, :-1], padded[:-1, 1:]
    c, d = padded[1:, :-1], padded[1:, 1:]
    is_saddle = (a == d) & (b == c) & (a != b)
    ys, xs = np.nonzero((a ^ b ^ c ^ d) | is_saddle)
    twice = is_saddle[ys, xs]
    source = np.repeat(np.arange(len(ys)), 1 + twice)
    ys, xs = ys[source] + 1, xs[source] + 1
    is_second = np.r_[False, source[1:] == source[:-1]]
    # Of pixels on the falling diagonal the left edge goes with the upper one, of those
    # on the rising diagonal the right edge does.
    is_falling = padded[ys - 1, xs - 1] == 1
    is_lower = np.where(twice[source], is_second == is_falling, False)
    along = np.lexsort((is_lower, ys, xs))
    vertical = np.empty(len(ys), dtype=np.int64)
    vertical[along] = along.reshape(-1, 2)[:, ::-1].ravel()
    partner, corners = vertical.tolist(), np.stack((xs, ys), axis=1)
    is_done = [False] * len(partner)
    rings = []
    for start in range(len(partner)):
        if is_done[start]:
            continue
        order, at = [], start
        while not is_done[at]:
            across = at ^ 1  # sorted by rows: the other end of the horizontal edge
            is_done[at] = is_done[across] = True
            order += (at, across)
            at = partner[across]
        rings.append(corners[order])
    return rings


def ring_area(ring: Ring) -> float:
    """Area inside a ring, in pixels."""
    x, y = np.asarray(ring, dtype=np.float64).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def simplify_ring(ring: Ring, tolerance: float) -> Ring:
    """Leave out corners (Douglas and Peucker, 1973).

    Args:
        ring: The ring.
        tolerance: No corner that is left out is farther from the result, in pixels.

    Returns:
        The ring of fewer corners; as it was where fewer than three would be left.
    """
    points = np.asarray(ring, dtype=np.float32)[:, None]
    short = cv2.approxPolyDP(points, tolerance, closed=True)[:, 0]
    is_flat = len(short) < MIN_VERTICES or not ring_area(short)
    return ring if is_flat else short.astype(np.float64)


def join_rings(rings: Sequence[Ring]) -> Ring:
    """Make one ring of several, over seams without a width.

    A seam runs there and back between the nearest corners of two rings, so that it
    bounds no pixel: filled by the even-odd rule, holes stay holes and components stay
    apart. Programs that also draw the outline paint the seams.

    Args:
        rings: Shells and holes, none over another.

    Returns:
        One ring.
    """
    joined = added = np.asarray(rings[0])
    rest = {number: np.asarray(ring) for number, ring in enumerate(rings) if number}
    # Of every ring that is not in yet: length of its shortest seam, the corner of the
    # joined ring that the seam comes from, and the number of its own corner.
    seams: dict[int, tuple[float, Ring | None, int]] = dict.fromkeys(
        rest, (np.inf, None, 0)
    )
    while rest:
        tree = cKDTree(added)
        for number, ring in rest.items():
            distances, corners = tree.query(ring)
            own = int(distances.argmin())
            if number not in seams or distances[own] < seams[number][0]:
                seams[number] = (float(distances[own]), added[corners[own]], own)
        number = min(rest, key=lambda one: seams[one][0])
        _, corner, own = seams[number]
        added = rest.pop(number)
        at = int((joined == corner).all(axis=1).argmax())
        loop = np.concatenate((added[own:], added[: own + 1]))
        joined = np.concatenate((joined[: at + 1], loop, joined[at:]))
    return joined
