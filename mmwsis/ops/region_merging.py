"""Greedy merging of the regions of a segmentation."""

import heapq

import numpy as np

from .region_graph import RegionGraph


def merge_regions(graph: RegionGraph, textures: np.ndarray) -> np.ndarray:
    r"""Merge the two most similar neighbours until one region remains.

    Hierarchical grouping with the similarity of `Selective Search
    <https://doi.org/10.1007/s11263-013-0620-5>`__ (sections 3.1 and 3.2), the sum of

    .. math::
        \sum_k \min(c_i^k, c_j^k) + \sum_k \min(t_i^k, t_j^k)
        + \Big(1 - \frac{A_i + A_j}{A}\Big) + \Big(1 - \frac{B_{ij} - A_i - A_j}{A}\Big)

    with the histograms of colour :math:`c` and texture :math:`t`, each of sum 1, the
    areas :math:`A_i` of the regions and :math:`A` of the image, and :math:`B_{ij}` that
    of the box around both. Among equal pairs the one of the lowest indices is merged.

    Args:
        graph: R regions; those with a border between them are neighbours.
        textures: (R, T) histograms that add up, for example lengths of gradients by
            direction. A region where they are all 0 has no texture in common with any.

    Returns:
        (2 R - 1, R) bool, which regions belong to each node: those of the segmentation
        themselves first, then what each merging made.
    """
    nodes = _Nodes(graph, textures)
    # Every pair once, the lower index first.
    first, second = graph.pairs[graph.pairs[:, 0] < graph.pairs[:, 1]].T
    keys = -nodes.similarity(first, second)
    heap = list(zip(keys.tolist(), first.tolist(), second.tolist()))
    heapq.heapify(heap)
    neighbors = [set() for _ in nodes.member]
    for one, other in graph.pairs.tolist():
        neighbors[one].add(other)
    for merged in range(len(graph.areas), len(nodes.member)):
        _, one, other = heapq.heappop(heap)
        # A region that has been merged already has no neighbours.
        while not (neighbors[one] and neighbors[other]):
            _, one, other = heapq.heappop(heap)
        nodes.join(one, other, merged)
        near = (neighbors[one] | neighbors[other]) - {one, other}
        for node in near:
            neighbors[node] -= {one, other}
            neighbors[node].add(merged)
        neighbors[one] = neighbors[other] = frozenset()
        neighbors[merged] = near
        if near:
            indices = list(near)
            keys = -nodes.similarity(np.array(indices), merged)
            for key, node in zip(keys.tolist(), indices):
                heapq.heappush(heap, (key, node, merged))
    return nodes.member


class _Nodes:
    """What the similarity needs to know of regions and of unions of them."""

    def __init__(self, graph: RegionGraph, textures: np.ndarray) -> None:
        regions = len(graph.areas)
        number = 2 * regions - 1
        self.image_area = graph.image_area
        self.member = np.eye(number, regions, dtype=bool)
        # Histograms of colour and texture side by side, summed and as shares.
        self._widths = (graph.colors.shape[1], textures.shape[1])
        self._counts = np.zeros((number, sum(self._widths)))
        self._counts[:regions] = np.concatenate([graph.colors, textures], axis=1)
        self._shares = np.zeros_like(self._counts)
        self._spans = np.zeros((number, 4), dtype=np.int64)
        self._spans[:regions] = graph.spans
        self._normalize(slice(0, regions))

    def _normalize(self, nodes: slice) -> None:
        width = self._widths[0]
        for columns in (slice(0, width), slice(width, None)):
            counts = self._counts[nodes, columns]
            total = counts.sum(1, keepdims=True)
            self._shares[nodes, columns] = counts / np.where(total > 0, total, 1)

    def similarity(self, first: np.ndarray, second: np.ndarray | int) -> np.ndarray:
        shared = np.minimum(self._shares[first], self._shares[second]).sum(1)
        top, left, bottom, right = np.maximum(self._spans[first], self._spans[second]).T
        # In the last two terms the areas of the regions cancel out.
        return shared + 2 - (top + bottom) * (left + right) / self.image_area

    def join(self, one: int, other: int, merged: int) -> None:
        self.member[merged] = self.member[one] | self.member[other]
        self._counts[merged] = self._counts[one] + self._counts[other]
        self._spans[merged] = np.maximum(self._spans[one], self._spans[other])
        self._normalize(slice(merged, merged + 1))
