"""Merging regions: the definition, every similarity computed anew from pixels."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from mmwsis.ops.region_graph import color_bins, region_graph
from mmwsis.ops.region_merging import merge_regions

sys.path.insert(0, str(Path(__file__).parent))
from region_scenes import histogram, neighbor_pairs, random_scene


def slow_merging(label_map, channels, textures):
    """All nodes as sets of regions, in the order in which they appear."""
    nodes = [frozenset([region]) for region in range(label_map.max() + 1)]
    alive = list(range(len(nodes)))
    while len(alive) > 1:
        best = None
        for one, other in itertools.combinations(alive, 2):
            pair = nodes[one], nodes[other]
            value = slow_similarity(label_map, channels, textures, *pair)
            if value is not None and (best is None or value > best[0] + 1e-12):
                best = value, one, other
        _, one, other = best
        alive = [node for node in alive if node not in (one, other)] + [len(nodes)]
        nodes.append(nodes[one] | nodes[other])
    return nodes


def slow_similarity(label_map, channels, textures, one, other):
    """Similarity of two sets of regions, None unless pixels of theirs touch."""
    masks = [np.isin(label_map, list(regions)) for regions in (one, other)]
    if not any(
        masks[0][first] and masks[1][second]
        for first, second in neighbor_pairs(*label_map.shape)
    ):
        return None
    colors = [histogram(channels[mask]) for mask in masks]
    sums = [textures[list(regions)].sum(0) for regions in (one, other)]
    shares = [total / max(total.sum(), 1e-300) for total in sums]
    rows, columns = np.nonzero(masks[0] | masks[1])
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    areas, image = [mask.sum() for mask in masks], label_map.size
    return (
        np.minimum(*colors).sum()
        + np.minimum(*shares).sum()
        + (1 - sum(areas) / image)
        + (1 - (box - sum(areas)) / image)
    )


@pytest.mark.parametrize('seed', range(6))
def test_equals_the_definition(seed):
    label_map, channels, _, graph = random_scene(seed, 9, 10, 8)
    textures = np.random.default_rng(seed).random((len(graph.areas), 8))
    textures[0] = 0  # one without any
    expected = slow_merging(label_map, channels, textures)
    found = [frozenset(np.flatnonzero(row)) for row in merge_regions(graph, textures)]
    assert found == expected


def test_equal_pairs_are_merged_from_the_lowest_indices_on():
    label_map = np.repeat(np.arange(4), 2)[None]
    graph = region_graph(label_map, color_bins(np.zeros((1, 8, 1))), np.zeros((1, 8)))
    member = merge_regions(graph, np.zeros((4, 8)))
    assert member[4:].astype(int).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [1] * 4]


def test_one_region_is_one_node():
    graph = region_graph(
        np.zeros((3, 4), int), color_bins(np.zeros((3, 4, 3))), np.zeros((3, 4))
    )
    assert merge_regions(graph, np.zeros((1, 8))).tolist() == [[True]]


def test_a_tree_of_many_regions():
    label_map, _, _, graph = random_scene(1, 40, 50, 150)
    member = merge_regions(graph, np.ones((len(graph.areas), 8)))
    regions = len(graph.areas)
    assert member.shape == (2 * regions - 1, regions)
    assert member[-1].all() and (member[:regions] == np.eye(regions)).all()
    # Any two nodes are one inside the other, or apart.
    sizes = member.sum(1)
    shared = member.astype(int) @ member.T.astype(int)
    inside = shared == np.minimum(sizes[:, None], sizes)
    assert (inside | (shared == 0)).all()
