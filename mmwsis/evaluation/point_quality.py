"""How many points hit an object of their class, and how many objects one point hits.

The exactly-one rule of BESTIE (CVPR 2022) learns from components that one cue of their
class hits, so the share of objects that are hit once bounds what it can learn from.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csgraph

from .instance_ground_truth import ImageObjects
from .mask_bits import MaskBits
from .metric_tables import plain_number

# A point counts at a threshold if its score is above it; all count at the first.
THRESHOLDS = (-1.0, *(round(0.1 * step, 1) for step in range(1, 10)))
_COLUMNS = ('points', 'inside', 'objects', 'once', 'never', 'several', 'plateau')


class ImagePoints(NamedTuple):
    """Points of one image.

    Attributes:
        labels: ``(N,)`` int64, index into the classes.
        points: ``(N, 2)``, (x, y) in pixels; a pixel's centre has integer coordinates.
        scores: ``(N,)``, 0 to 1; 1 for clicks.
    """

    labels: np.ndarray
    points: np.ndarray
    scores: np.ndarray


def count_hits(
    found: ImagePoints, truth: ImageObjects, size: tuple[int, int], num_classes: int
) -> np.ndarray:
    """Count what the points of an image hit.

    A point hits every object of its class that its pixel belongs to. On void pixels, or
    on a crowd of its class and no object, it is not judged.

    Args:
        found: Points in the image.
        truth: Objects of the image.
        size: ``(H, W)`` of the image in pixels.
        num_classes: C.

    Returns:
        ``(T, C, 7)`` int64 at each of ``THRESHOLDS``: points, those inside an object of
        their class, objects, those that one point, none, several hit, and those that
        several hit which are one plateau: 8-connected pixels of equal score.
    """
    columns, rows = np.floor(found.points.T + 0.5).astype(np.int64)
    columns, rows = columns.clip(0, size[1] - 1), rows.clip(0, size[0] - 1)
    pixels = rows * size[1] + columns
    hits = pixels_inside(truth.masks, pixels)
    hits &= truth.labels[:, None] == found.labels
    inside = hits[~truth.crowd].any(axis=0)
    judged = inside | ~hits[truth.crowd].any(axis=0)
    if truth.void is not None:
        judged &= ~pixels_inside(truth.void, pixels)[0]
    labels = truth.labels[~truth.crowd]
    plateau = _plateaus(found, rows, columns)
    counts = np.zeros((len(THRESHOLDS), num_classes, len(_COLUMNS)), dtype=np.int64)

    def by_class(values: np.ndarray) -> np.ndarray:
        return np.bincount(values, minlength=num_classes)

    for step, threshold in enumerate(THRESHOLDS):
        kept = judged & (found.scores > threshold)
        own = hits[~truth.crowd][:, kept]
        times = own.sum(axis=1)
        # Of the points that hit an object, the plateaus.
        distinct = (own @ (plateau[kept, None] == np.unique(plateau))).sum(axis=1)
        groups = (
            found.labels[kept],
            found.labels[kept & inside],
            labels,
            labels[times == 1],
            labels[times == 0],
            labels[times > 1],
            labels[(times > 1) & (distinct == 1)],
        )
        counts[step] = np.stack([by_class(group) for group in groups], axis=1)
    return counts


def _plateaus(found: ImagePoints, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Number of the plateau of each point, ``(N,)``."""
    same = np.ones((len(rows), len(rows)), dtype=bool)
    for values, reach in (
        (found.labels, 0),
        (found.scores, 0),
        (rows, 1),
        (columns, 1),
    ):
        same &= abs(values[:, None] - values) <= reach
    return csgraph.connected_components(same, directed=False)[1]


def pixels_inside(masks: MaskBits, pixels: np.ndarray) -> np.ndarray:
    """Whether masks hold pixels, without unpacking the masks.

    Args:
        masks: M masks.
        pixels: ``(N,)`` int64, ``row * W + column``.

    Returns:
        ``(M, N)`` bool.
    """
    octets = np.ascontiguousarray(masks.words).view(np.uint8)
    bits = octets[:, pixels >> 3] >> (7 - (pixels & 7)).astype(np.uint8)
    return (bits & 1).astype(bool)


def point_figures(
    counts: np.ndarray, classes: Sequence[str], scored: bool
) -> dict[str, Any]:
    """Figures of a dataset.

    Args:
        counts: Sum of :func:`count_hits` over the images.
        classes: C names.
        scored: Whether some points have scores.

    Returns:
        JSON-serialisable: ``points`` and ``objects`` (how many), ``inside`` (share of
        the points that hit an object of their class), ``once``, ``never`` and
        ``several`` (shares of the objects, by the number of points that hit them) and
        ``plateau`` (share of the objects that several hit which are one plateau);
        ``per_class``, a list with the same and ``name`` of classes with a point or an
        object; ``per_threshold`` of scored points, a list with the same and
        ``threshold``.
    """
    totals = counts.sum(axis=1)
    return dict(
        _row(totals[0]),
        per_class=[
            dict(name=name, **_row(row))
            for name, row in zip(classes, counts[0])
            if row.any()
        ],
        per_threshold=[
            dict(threshold=max(threshold, 0.0), **_row(row))
            for threshold, row in zip(THRESHOLDS, totals)
            if scored
        ],
    )


def _row(counts: np.ndarray) -> dict[str, Any]:
    row = dict(zip(_COLUMNS, counts.tolist()))
    points, objects = row['points'], row['objects']
    return dict(
        points=points,
        inside=plain_number(row['inside'] / points if points else np.nan),
        objects=objects,
        **{
            key: plain_number(row[key] / objects if objects else np.nan)
            for key in _COLUMNS[3:]
        },
    )
