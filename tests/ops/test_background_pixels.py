"""Pixels that stand for the background: golden cases, k-means, few pixels or none."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.ops import cluster_representatives

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


@pytest.mark.parametrize('name', ['a', 'b_emptycluster'])
def test_golden_representatives(name):
    case = np.load(GOLDEN / f'background_pixels_{name}.npz')
    rows, columns = case['background'].nonzero()
    features = torch.from_numpy(case['embeddings'][:, rows, columns].T)
    clusters = torch.from_numpy(case['cluster_labels'])
    found = cluster_representatives(features, clusters, int(case['k']))
    pixels = np.stack([clusters[found], rows[found], columns[found]], axis=1)
    np.testing.assert_array_equal(pixels, case['rep_cluster_row_col'])
