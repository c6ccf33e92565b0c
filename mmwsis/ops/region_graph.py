"""Regions of an image, what they look like, and the borders between them."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

COLOR_BINS = 20
# Strengths of edges become multiples of this, so that their sums are exact: neither
# the order nor the number of threads that add them changes a score.
_EDGE_STEP = 2.0**-32


class RegionGraph(NamedTuple):
    """R regions that cover an image, and E borders from one to another.

    A border is crossed by pairs of 4-neighbours, the first in one region and the
    second in the other. Each appears twice, once from either side.

    Attributes:
        image_area: Pixels of the image.
        areas: (R,) pixels.
        spans: (R, 4) bounding boxes as ``(-top, -left, bottom, right)``, the last two
            exclusive: the maximum of several is the box around them.
        touches: (R,) how often their pixels lie on a side of the image, twice in its
            corners.
        colors: (R, C * 20) numbers of pixels in each 20th of every channel.
        pairs: (E, 2) integers, from which region to which, in ascending order.
        lengths: (E,) pairs of pixels.
        edges: (E,) sums over them of the stronger edge of the two.
        rings: (E, C * 20) like ``colors``, of the second pixel of every pair.
    """

    image_area: int
    areas: np.ndarray
    spans: np.ndarray
    touches: np.ndarray
    colors: np.ndarray
    pairs: np.ndarray
    lengths: np.ndarray
    edges: np.ndarray
    rings: np.ndarray


def color_bins(channels: np.ndarray) -> np.ndarray:
    """In which 20th of its range every pixel lies, in every channel.

    Args:
        channels: (H, W, C) in [0, 1].

    Returns:
        (C, H * W) integers; each channel has 20 of its own, those of channel c begin
        at ``20 * c``.
    """
    bins = (channels * COLOR_BINS).astype(int).clip(0, COLOR_BINS - 1)
    own = COLOR_BINS * np.arange(channels.shape[2])
    return (bins + own).reshape(-1, channels.shape[2]).T


def region_graph(
    label_map: np.ndarray, bins: np.ndarray, edges: np.ndarray
) -> RegionGraph:
    """Measure the regions of a segmentation and the borders between them.

    Args:
        label_map: (H, W) integers; each of 0 to R - 1 occurs.
        bins: (C, H * W) of :func:`color_bins`.
        edges: (H, W) strength of the edges, in [0, 1].

    Returns:
        The graph.
    """
    labels = label_map.ravel()
    number = int(labels.max()) + 1
    inner, outer = _crossing_pairs(label_map)
    borders, border = np.unique(
        labels[inner] * number + labels[outer], return_inverse=True
    )
    exact = np.round(edges.ravel() / _EDGE_STEP) * _EDGE_STEP
    sides = [label_map[0], label_map[-1], label_map[:, 0], label_map[:, -1]]
    return RegionGraph(
        image_area=labels.size,
        areas=np.bincount(labels),
        spans=_spans(label_map),
        touches=np.bincount(np.concatenate(sides), minlength=number),
        colors=_histograms(labels, number, bins),
        pairs=np.stack(np.divmod(borders, number), axis=1),
        lengths=np.bincount(border, minlength=len(borders)),
        edges=np.bincount(
            border,
            np.maximum(exact[inner], exact[outer]),
            minlength=len(borders),
        ),
        rings=_histograms(border, len(borders), bins[:, outer]),
    )


def _crossing_pairs(label_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of 4-neighbours in different regions, both ways round."""
    pixels = np.arange(label_map.size).reshape(label_map.shape)
    across = label_map[:, :-1] != label_map[:, 1:]
    along = label_map[:-1] != label_map[1:]
    first = np.concatenate([pixels[:, :-1][across], pixels[:-1][along]])
    second = np.concatenate([pixels[:, 1:][across], pixels[1:][along]])
    return np.concatenate([first, second]), np.concatenate([second, first])


def _spans(label_map: np.ndarray) -> np.ndarray:
    boxes = ndimage.find_objects(label_map + 1)
    return np.array(
        [(-rows.start, -cols.start, rows.stop, cols.stop) for rows, cols in boxes]
    )


def _histograms(groups: np.ndarray, number: int, bins: np.ndarray) -> np.ndarray:
    """(number, C * 20) counts of the bins of each group's pixels."""
    width = COLOR_BINS * len(bins)
    counts = np.zeros(number * width, dtype=np.int64)
    for channel in bins:
        counts += np.bincount(groups * width + channel, minlength=number * width)
    return counts.reshape(number, width)
