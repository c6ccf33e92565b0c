from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import path_affinity, pixel_paths, source_window

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'


def gather_reference(edge, radius):
    """One gather of all pixels of all paths."""
    rows, cols, *_ = source_window(radius, *edge.shape[-2:])
    width = edge.shape[-1]
    flat = torch.arange(edge[0, 0].numel()).view(edge.shape[-2:])[rows, cols].flatten()
    maxima = []
    for path in pixel_paths(radius):
        pixels = [flat + y * width + x for y, x in path]
        maxima.append(edge.flatten(1)[:, torch.stack(pixels)].amax(1))
    return 1 - torch.stack(maxima, 1)


def edges(batch, height, width, seed=0, levels=None, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    edge = torch.rand(batch, 1, height, width, generator=generator, dtype=dtype)
    return edge if levels is None else (edge * levels).round() / levels


@pytest.mark.parametrize('name', ['a', 'b'])
def test_golden(name):
    data = np.load(GOLDEN / f'edge_to_affinity_{name}.npz')
    affinity = path_affinity(torch.from_numpy(data['edge']), int(data['radius']))
    np.testing.assert_allclose(affinity, data['affinity'], rtol=0, atol=1e-6)


def test_affinity_by_hand():
    edge = torch.arange(12.0).view(1, 1, 3, 4) / 20
    expected = torch.tensor(
        [
            [0.9, 0.85, 0.7, 0.65],
            [0.75, 0.7, 0.55, 0.5],
            [0.75, 0.7, 0.55, 0.5],
            [0.7, 0.65, 0.5, 0.45],
        ]
    )
    torch.testing.assert_close(path_affinity(edge, 2)[0], expected)


@settings(max_examples=40, deadline=None)
@given(
    radius=st.integers(2, 6),
    extra=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    batch=st.integers(1, 3),
    levels=st.sampled_from([None, 1, 2, 5]),
    seed=st.integers(0, 999),
)
def test_equals_gather_and_records_no_gradient(radius, extra, batch, levels, seed):
    size = radius + extra[0], 2 * radius - 1 + extra[1]
    edge = edges(batch, *size, seed, levels).requires_grad_()
    affinity = path_affinity(edge, radius)
    assert torch.equal(affinity, gather_reference(edge, radius))
    assert not affinity.requires_grad


def test_autocast_and_half_precision():
    edge = edges(1, 8, 12, dtype=torch.float32)
    expected = path_affinity(edge, 3)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(path_affinity(edge, 3), expected)
    assert path_affinity(edge.half(), 3).dtype == torch.float32


def test_empty_batch():
    assert path_affinity(torch.zeros(0, 1, 12, 20), 5).shape == (0, 34, 96)


def test_smallest_grid():
    edge = edges(1, 10, 19)
    affinity = path_affinity(edge, 10)
    assert affinity.shape == (1, 152, 1)
    assert torch.equal(affinity, gather_reference(edge, 10))


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r'edge: expected shape \(B, 1, h, w\), got'):
        path_affinity(torch.zeros(2, 12, 20), 5)
    with pytest.raises(ValueError, match='4x20 pixels has no source pixel'):
        path_affinity(torch.zeros(1, 1, 4, 20), 5)
