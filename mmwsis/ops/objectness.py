"""Objectness of unions of regions: strong edges and contrast along a closed border."""

from typing import NamedTuple

import numpy as np

from .region_graph import RegionGraph

# Proposals times borders that are held at once.
_CHUNK = 2**23


class Objectness(NamedTuple):
    """Scores of N proposals, and what they are made of.

    Attributes:
        length: (N,) pairs of 4-neighbours across the border.
        touches: (N,) how often pixels lie on a side of the image.
        edge: (N,) mean strength of the edge along the border, in [0, 1].
        contrast: (N,) how unlike the colours inside and just outside are, in [0, 1].
        fill: (N,) share of the bounding box, in (0, 1].
        score: (N,) in [0, 1].
    """

    length: np.ndarray
    touches: np.ndarray
    edge: np.ndarray
    contrast: np.ndarray
    fill: np.ndarray
    score: np.ndarray


def objectness(graph: RegionGraph, member: np.ndarray) -> Objectness:
    r"""Score unions of regions from the borders of the regions alone.

    With the pairs of 4-neighbours that cross the border of a proposal, L of them,

    .. math::
        \text{score} = \sqrt{\text{edge} \cdot \text{contrast}} \cdot
        \Big(1 - \frac{\text{touches}}{L + \text{touches}}\Big) \cdot \sqrt{\text{fill}}

    where edge is the mean over the pairs of the stronger edge of the two pixels, and
    contrast 1 minus the intersection of the colour histograms of the proposal and of
    the outer pixels of the pairs. No proposal is looked at as pixels: what its border
    consists of is the product of a 0/1 matrix, which proposal has region i and not
    region j, with the table of all borders from i to j.

    Args:
        graph: R regions.
        member: (N, R) bool, which regions belong to each proposal; at least one does.

    Returns:
        The scores. A proposal without a border scores 0.
    """
    table = np.column_stack([graph.lengths, graph.edges, graph.rings]).astype(float)
    crossed = np.zeros((len(member), table.shape[1]))
    step = max(1, _CHUNK // max(1, len(table)))
    for start in range(0, len(member), step):
        some = member[start : start + step]
        select = some[:, graph.pairs[:, 0]] & ~some[:, graph.pairs[:, 1]]
        crossed[start : start + step] = select.astype(float) @ table
    length, edges, rings = crossed[:, 0], crossed[:, 1], crossed[:, 2:]
    weights = member.astype(float)
    areas, touches = weights @ graph.areas, weights @ graph.touches
    shared = np.minimum(_shares(weights @ graph.colors), _shares(rings)).sum(1)
    edge = edges / np.maximum(length, 1)
    contrast = (1 - shared).clip(0, 1)
    fill = areas / _box_areas(graph.spans, member)
    # A proposal has a border or touches a side of the image: the sum is positive.
    score = np.sqrt(edge * contrast * fill) * length / (length + touches)
    return Objectness(length, touches, edge, contrast, fill, score)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def _box_areas(spans: np.ndarray, member: np.ndarray) -> np.ndarray:
    # The largest of each column among the regions of a proposal.
    least = spans.min()
    top, left, bottom, right = (
        np.where(member, column, least).max(1) for column in spans.T
    )
    return (top + bottom) * (left + right)
