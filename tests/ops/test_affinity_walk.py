import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import affinity_walk, pixel_directions, pixel_paths
from mmwsis.ops.affinity_walk import chebyshev_coefficients

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'
FILES = sorted(
    path.stem
    for path in GOLDEN.glob('walk_*.npz')
    if not path.stem.startswith('walk_identity')
)


def dense_reference(x, edge, radius, beta, num_steps):
    """Fill the affinity matrix pair by pair and raise it to the power."""
    _, height, width = edge.shape
    affinity = torch.eye(height * width, dtype=torch.float64)
    for (dy, dx), path in zip(pixel_directions(radius), pixel_paths(radius)):
        for y in range(height):
            for x0 in range(width):
                if not (y + dy < height and 0 <= x0 + dx < width):
                    continue
                value = 1 - max(edge[0, y + py, x0 + px] for py, px in path)
                here, there = y * width + x0, (y + dy) * width + x0 + dx
                affinity[here, there] = affinity[there, here] = value
    weights = affinity**beta
    transition = weights / weights.sum(0)
    start = (x * (1 - edge)).double().flatten(1)
    walked = start @ torch.linalg.matrix_power(transition, num_steps)
    return walked.view(x.shape)


def problem(channels, height, width, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(channels, height, width, generator=generator, dtype=dtype)
    edge = torch.rand(1, height, width, generator=generator, dtype=dtype)
    return x, edge**2


def test_all_golden_files_are_here():
    assert len(FILES) == 6


@pytest.mark.parametrize('name', FILES)
def test_golden(name):
    data = np.load(GOLDEN / f'{name}.npz')
    settings = int(data['radius']), float(data['beta']), 2 ** int(data['exp_times'])
    x, edge = (torch.from_numpy(data[key]) for key in ('x', 'edge'))
    walked = affinity_walk(x.double(), edge.double(), *settings)
    np.testing.assert_allclose(walked, data['rw_float64'][:, 0], rtol=0, atol=1e-9)
    walked = affinity_walk(x, edge, *settings)
    assert walked.dtype == torch.float32
    for key in ('rw_float32', 'rw_float64'):
        np.testing.assert_allclose(walked, data[key][:, 0], rtol=0, atol=1e-4)


def test_golden_transition_matrix():
    data = np.load(GOLDEN / 'walk_identity_5x6.npz')
    edge = torch.from_numpy(data['edge']).double()
    seeds = torch.eye(30, dtype=torch.float64).view(30, 5, 6)
    settings = int(data['radius']), float(data['beta']), 2 ** int(data['exp_times'])
    walked = affinity_walk(seeds, edge, *settings).view(30, 30)
    np.testing.assert_allclose(walked, data['rw_of_identity'], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ('x', 'beta', 'steps', 'expected'),
    [
        ([1, 0, 0], 1, 1, [0.5, 0.25, 0.25]),
        ([1, 0, 0], 1, 2, [0.375, 0.3125, 0.3125]),
        ([1, 0, 0], 2, 1, [2 / 3, 1 / 6, 1 / 6]),
        ([0, 1, 0], 1, 1, [0.125, 0.25, 0.125]),
    ],
)
def test_three_pixels_by_hand(x, beta, steps, expected):
    edge = torch.tensor([[[0, 0.5, 0]]])
    walked = affinity_walk(torch.tensor([[x]]).float(), edge, 5, beta, steps)
    assert walked.flatten().tolist() == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    radius=st.integers(2, 6),
    beta=st.sampled_from([0.5, 1.0, 4.0, 10.0]),
    num_steps=st.sampled_from([0, 1, 2, 3, 8, 33, 256]),
    seed=st.integers(0, 999),
)
def test_equals_dense_power(size, radius, beta, num_steps, seed):
    x, edge = problem(2, *size, seed)
    walked = affinity_walk(x, edge, radius, beta, num_steps)
    expected = dense_reference(x, edge, radius, beta, num_steps)
    torch.testing.assert_close(walked, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (9, 1), (2, 3), (4, 30)])
def test_grids_smaller_than_the_radius(size):
    x, edge = problem(1, *size)
    walked = affinity_walk(x, edge)
    expected = dense_reference(x, edge, 5, 10, 256)
    torch.testing.assert_close(walked, expected, rtol=0, atol=1e-12)


def test_single_precision_of_a_large_map():
    x, edge = problem(3, 60, 70)
    walked = affinity_walk(x.float(), edge.float()).double()
    expected = affinity_walk(x, edge)
    error = (walked - expected).abs().amax((1, 2)) / expected.amax((1, 2))
    assert error.max() < 1e-4


def test_boundary_everywhere_gives_zero():
    x, _ = problem(2, 6, 7)
    edge = torch.ones(1, 6, 7, dtype=torch.float64)
    assert torch.equal(affinity_walk(x, edge), torch.zeros_like(x))


def test_closed_boundary_holds_everything_back():
    x = torch.zeros(1, 9, 12)
    x[..., :4] = 1
    edge = torch.zeros(1, 9, 12)
    edge[..., 5:7] = 1
    walked = affinity_walk(x, edge)
    assert (walked[..., :5] > 0.5).all()
    assert not walked[..., 5:].any()


def test_constant_map_stays_where_there_is_no_boundary():
    x = torch.full((1, 20, 30), 0.7)
    walked = affinity_walk(x, torch.zeros(1, 20, 30))
    torch.testing.assert_close(walked, x, rtol=1e-4, atol=0)


def test_zero_maps_are_left_out():
    x, edge = problem(4, 8, 9)
    x[1] = 0
    walked = affinity_walk(x, edge)
    assert not walked[1].any()
    others = [0, 2, 3]
    torch.testing.assert_close(walked[others], affinity_walk(x[others], edge))
    assert not affinity_walk(torch.zeros_like(x), edge).any()
    assert affinity_walk(x[:0], edge).shape == (0, 8, 9)


@pytest.mark.parametrize('power', [1, 2, 7, 100, 256, 1024])
@pytest.mark.parametrize('tolerance', [1e-10, 1e-18])
def test_chebyshev_expansion(power, tolerance):
    coefficients = chebyshev_coefficients(power, tolerance)
    x = np.linspace(-1, 1, 2001)
    series = np.polynomial.chebyshev.chebval(x, coefficients)
    np.testing.assert_allclose(series, x**power, rtol=0, atol=tolerance + 1e-13)
    assert len(coefficients) <= power + 1
    if power == 256 and tolerance == 1e-10:
        assert len(coefficients) < 110


def test_autocast_and_no_gradient():
    x, edge = problem(2, 8, 9, dtype=torch.float32)
    expected = affinity_walk(x, edge)
    with torch.autocast('cpu', torch.bfloat16):
        walked = affinity_walk(x.requires_grad_(), edge)
    assert torch.equal(walked, expected)
    assert not walked.requires_grad
    assert affinity_walk(x.half(), edge).dtype == torch.float32


@pytest.mark.filterwarnings('error')
def test_does_not_warn():
    affinity_walk(*problem(1, 5, 5))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(x=torch.zeros(4, 5)), r'x: expected shape \(C, h, w\), got \(4, 5\)'),
        (dict(edge=torch.zeros(1, 5, 4)), r'edge: expected shape \(1, 4, 5\), got'),
        (dict(radius=1), 'radius: expected an integer >= 2, got 1'),
        (dict(beta=0), r'beta: expected a number in \(0, inf\), got 0'),
        (dict(x=torch.full((1, 4, 5), math.nan)), 'x: expected finite numbers'),
        (dict(edge=torch.full((1, 4, 5), 1.1)), r'edge: expected .* in \[0, 1\]'),
        (dict(edge=torch.full((1, 4, 5), math.nan)), 'edge: expected .* got NaN'),
        (dict(num_steps=-1), 'num_steps: expected an integer >= 0, got -1'),
        (dict(num_steps=2.0), 'num_steps: expected an integer >= 0, got 2.0'),
    ],
)
def test_wrong_arguments(change, message):
    arguments = dict(x=torch.ones(1, 4, 5), edge=torch.zeros(1, 4, 5))
    with pytest.raises(ValueError, match=message):
        affinity_walk(**{**arguments, **change})
