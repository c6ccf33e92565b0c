"""Objectness: golden case, and the definition with loops over pixels."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from mmwsis.ops import objectness as module
from mmwsis.ops.objectness import objectness
from mmwsis.ops.region_graph import color_bins, region_graph

sys.path.insert(0, str(Path(__file__).parent))
from region_scenes import histogram, neighbor_pairs, random_scene

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


def slow_terms(mask, channels, edges):
    """One proposal by the definition: L, touches, edge, contrast, fill, score."""
    height, width = mask.shape
    crossing = [
        (one, other)
        for one, other in neighbor_pairs(height, width)
        if mask[one] and not mask[other]
    ]
    touches = sum(
        (y == 0) + (y == height - 1) + (x == 0) + (x == width - 1)
        for y, x in np.argwhere(mask).tolist()
    )
    edge = np.mean([max(edges[one], edges[other]) for one, other in crossing])
    ring = histogram(np.array([channels[other] for _, other in crossing]))
    contrast = 1 - np.minimum(histogram(channels[mask]), ring).sum()
    rows, columns = np.nonzero(mask)
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    fill = mask.sum() / box
    score = (
        math.sqrt(edge * contrast)
        * (1 - touches / (len(crossing) + touches))
        * math.sqrt(fill)
    )
    return len(crossing), touches, edge, contrast, fill, score


def test_golden():
    golden = np.load(GOLDEN / 'objectness_a.npz')
    masks = golden['masks']
    # The regions are the pixels that belong to the same masks.
    member, label_map = np.unique(
        masks.reshape(len(masks), -1), axis=1, return_inverse=True
    )
    graph = region_graph(
        label_map.reshape(masks.shape[1:]),
        color_bins(golden['feature_map']),
        golden['edge_map'],
    )
    found = np.stack(objectness(graph, member), axis=1)
    np.testing.assert_allclose(found, golden['terms'], rtol=0, atol=1e-9)


@pytest.mark.parametrize('seed', range(8))
def test_equals_the_definition(seed):
    label_map, channels, edges, graph = random_scene(seed)
    rng = np.random.default_rng(seed)
    member = rng.random((6, len(graph.areas))) < 0.5
    member[np.arange(6), rng.integers(len(graph.areas), size=6)] = True
    member = member[~member.all(1)]
    found = np.stack(objectness(graph, member), axis=1)
    expected = [slow_terms(row[label_map], channels, edges) for row in member]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_whole_image_scores_zero():
    *_, graph = random_scene(0)
    found = objectness(graph, np.ones((1, len(graph.areas)), dtype=bool))
    assert found.length[0] == found.score[0] == 0
    assert found.touches[0] == 2 * (11 + 13)


def test_many_at_once_in_parts_gives_the_same_bits(monkeypatch):
    *_, graph = random_scene(3, number=12)
    member = np.random.default_rng(0).random((50, len(graph.areas))) < 0.4
    member[:, 0] = True
    whole = objectness(graph, member)
    monkeypatch.setattr(module, '_CHUNK', 3 * len(graph.pairs))
    for one, other in zip(whole, objectness(graph, member)):
        np.testing.assert_array_equal(one, other)


def test_graph_by_hand():
    label_map = np.array([[0, 0, 1], [2, 2, 1]])
    channels = np.array([0.0, 0.04, 0.06, 0.5, 0.99, 1.0]).reshape(2, 3, 1)
    edges = np.array([[0.0, 0.25, 0.0], [0.5, 0.0, 1.0]])
    graph = region_graph(label_map, color_bins(channels), edges)
    assert graph.pairs.tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    assert graph.lengths.tolist() == [1, 2, 1, 1, 2, 1]
    assert graph.edges.tolist() == [0.25, 0.75, 0.25, 1, 0.75, 1]
    assert graph.areas.tolist() == [2, 2, 2]
    assert graph.touches.tolist() == [3, 4, 3]
    assert (graph.spans * [-1, -1, 1, 1]).tolist() == [
        [0, 0, 1, 2],
        [0, 2, 2, 3],
        [1, 0, 2, 2],
    ]
    bins = [np.flatnonzero(row).tolist() for row in graph.rings]
    assert bins == [[1], [10, 19], [0], [19], [0], [19]]
    assert graph.colors[0, 0] == 2
