"""Pixels that stand for the background: golden cases, k-means, few pixels or none."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmwsis.ops import (
    background_pixels,
    cluster_representatives,
    enlarged_at,
    k_means,
    least_covered_pixels,
    uncovered_pixels,
)

sys.path.append(str(Path(__file__).parent))
from mask_proposals import proposals_of

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('name', ['a', 'b_emptycluster'])
def test_golden_representatives(name):
    case = np.load(GOLDEN / f'background_pixels_{name}.npz')
    rows, columns = case['background'].nonzero()
    embeddings = torch.from_numpy(case['embeddings'][:, rows, columns].T)
    clusters = torch.from_numpy(case['cluster_labels'])
    found = cluster_representatives(embeddings, clusters)
    pixels = np.stack([clusters[found], rows[found], columns[found]], axis=1)
    np.testing.assert_array_equal(pixels, case['rep_cluster_row_col'])
    for number in clusters[found]:
        mean = embeddings[clusters == number].mean(0)
        np.testing.assert_allclose(mean, case['centres'][number], rtol=0, atol=1e-9)


def test_of_equally_near_members_the_first_is_taken():
    embeddings = torch.tensor([[9.0], [1.0], [3.0], [1.0], [3.0]])
    clusters = torch.tensor([1, 0, 0, 0, 0])
    assert cluster_representatives(embeddings, clusters).tolist() == [1, 0]


def blobs(count, centers, seed=0):
    """Embeddings around centres far apart, and the centre of each."""
    owner = torch.arange(count) % len(centers)
    return centers[owner] + randn(count, centers.shape[1], seed=seed), owner


@pytest.mark.parametrize('count', [5, 50, 20000])
def test_clusters_that_are_far_apart_are_found(count):
    embeddings, owner = blobs(count, torch.eye(5, 64) * 100 + 1000)
    clusters = k_means(embeddings, 5)
    pairs = torch.stack([clusters, owner]).unique(dim=1)
    assert pairs.shape[1] == 5  # one cluster for each
    assert torch.equal(k_means(embeddings, 5), clusters)


def squared_errors(embeddings, clusters):
    own = [embeddings[clusters == number] for number in clusters.unique()]
    return sum((one - one.mean(0)).square().sum().item() for one in own)


def plain_lloyd(embeddings, means):
    for _ in range(300):
        clusters = torch.cdist(embeddings, means).argmin(1)
        means = torch.stack(
            [embeddings[clusters == number].mean(0) for number in range(len(means))]
        )
    return clusters


def test_clusters_are_about_as_tight_as_those_of_converged_iterations():
    maps = F.interpolate(randn(1, 16, 5, 6), (30, 40), mode='bicubic')[0]
    embeddings = maps.flatten(1).T
    expected = min(
        squared_errors(embeddings, plain_lloyd(embeddings, embeddings[first::151]))
        for first in range(3)
    )
    found = squared_errors(embeddings, k_means(embeddings, 8))
    assert found < 1.05 * expected
    longer = k_means(embeddings, 8, max_iterations=300, tol=0)
    assert squared_errors(embeddings, longer) <= found
    # Nothing moves any more: each is in the cluster of the nearest mean.
    means = [embeddings[longer == number].mean(0) for number in range(8)]
    nearest = torch.cdist(embeddings, torch.stack(means)).argmin(1)
    assert (nearest == longer).float().mean() > 0.999


def test_equal_embeddings_share_a_cluster():
    assert k_means(torch.ones(40, 3), 3).unique().numel() == 1
    assert k_means(torch.ones(3, 3), 3).shape == (3,)


@pytest.mark.parametrize('stride', [1, 3])
def test_pixels_are_members_of_the_background(stride):
    maps, background = randn(8, 5, 6), randn(30, 40, seed=1) > 0
    pixels = background_pixels(maps, background, 4, stride)
    assert pixels.shape == (4, 2) and (pixels % stride == 0).all()
    x, y = pixels.T
    assert background[y, x].all()
    members = background.nonzero().flip(1)
    members = members[(members % stride == 0).all(1)]
    embeddings = enlarged_at(maps, members, (30, 40))
    chosen = cluster_representatives(embeddings, k_means(embeddings, 4))
    assert torch.equal(members[chosen], pixels)


def test_few_background_pixels_are_all_taken():
    background = torch.zeros(30, 40, dtype=torch.bool)
    background[3, 5] = background[7, 1] = True
    found = background_pixels(randn(8, 5, 6), background, 6)
    assert sorted(found.tolist()) == [[1, 7], [5, 3]]
    # A stride that would leave fewer is not taken.
    found = background_pixels(randn(8, 5, 6), background, 2, stride=4)
    assert sorted(found.tolist()) == [[1, 7], [5, 3]]


@pytest.mark.parametrize('k', [0, 3])
def test_no_background_and_no_object_give_no_pixel(k):
    empty = torch.zeros(30, 40, dtype=torch.bool)
    assert background_pixels(randn(8, 5, 6), empty, k).shape == (0, 2)
    assert background_pixels(randn(8, 5, 6), ~empty, 0).shape == (0, 2)


def test_non_finite_embeddings_are_refused():
    maps = randn(8, 5, 6)
    maps[2, 3, 4] = torch.nan
    with pytest.raises(ValueError, match='maps: expected finite numbers'):
        background_pixels(maps, torch.ones(30, 40, dtype=torch.bool), 2)


def test_more_clusters_than_embeddings_are_refused():
    with pytest.raises(ValueError, match='k: expected at most .* embeddings, 3, got 4'):
        k_means(randn(3, 2), 4)


def test_an_image_full_of_candidates_has_those_covered_least():
    full, left = np.ones((3, 4), bool), np.eye(3, 4) > 0
    proposals = proposals_of([full, left], [0.9, 0.8])
    points = [[0, 0], [1, 1]]
    assert not uncovered_pixels(points, proposals).any()
    np.testing.assert_array_equal(least_covered_pixels(points, proposals), ~left)
    # Of no candidate there is a background.
    np.testing.assert_array_equal(
        least_covered_pixels([[3, 0]], proposals, min_score=0.9), full
    )


def test_an_image_of_one_uncovered_point_is_its_background():
    proposals = proposals_of(np.zeros((0, 1, 1)), [])
    assert not uncovered_pixels([[0, 0]], proposals).any()
    assert least_covered_pixels([[0, 0]], proposals).all()
