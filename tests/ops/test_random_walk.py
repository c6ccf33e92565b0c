from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import propagation_scores, sinkhorn_scaling

GOLDEN = Path(__file__).parents[1] / 'golden' / 'exits'


def dense_transition(similarity, r, c):
    matrix = r[:, :, None] * similarity * c[:, None]
    return (matrix + matrix.transpose(1, 2)) / 2


def dense_reference(similarity, seeds, r, c, hops, beta=0.25):
    """Form T, raise it to the power or invert it."""
    transition = dense_transition(similarity, r, c)
    if hops == 'inf':
        eye = torch.eye(transition.shape[1], dtype=transition.dtype)
        return seeds @ ((1 - beta) * torch.linalg.inv(eye - beta * transition))
    return seeds @ torch.linalg.matrix_power(transition, hops)


def problem(batch, size, vectors, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    q, k = torch.randn(2, batch, size, 6, generator=generator, dtype=dtype)
    similarity = (q @ k.transpose(1, 2)).softmax(2)
    seeds = torch.rand(batch, vectors, size, generator=generator, dtype=dtype)
    return similarity, seeds, *sinkhorn_scaling(similarity)


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 3),
    size=st.integers(1, 14),
    vectors=st.integers(1, 4),
    seed=st.integers(0, 999),
    hops=st.sampled_from([0, 1, 2, 3, 4, 7, 'inf']),
    beta=st.sampled_from([0.0, 0.25, 0.6, 0.9]),
)
def test_equals_dense(batch, size, vectors, seed, hops, beta):
    arguments = problem(batch, size, vectors, seed)
    scores = propagation_scores(*arguments, hops=hops, beta=beta)
    expected = dense_reference(*arguments, hops, beta)
    torch.testing.assert_close(scores, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('index', [91, 92, 93])
@pytest.mark.parametrize('hops', [1, 2, 3, 4, 'inf'])
@pytest.mark.parametrize(
    ('dtype', 'atol'), [(torch.float64, 1e-6), (torch.float32, 1e-5)]
)
def test_golden(index, hops, dtype, atol):
    data = np.load(GOLDEN / f'propagate_{index}.npz')
    if 'S' in data:
        similarity = torch.from_numpy(data['S']).double()[None]
    else:
        q, k = (torch.from_numpy(data[name]).double() for name in ('q', 'k'))
        similarity = (q @ k.T).softmax(1)[None]
    similarity = similarity.to(dtype)
    r, c = sinkhorn_scaling(similarity, 2000, 1e-13 if dtype == torch.float64 else 1e-6)
    seeds = torch.zeros(1, 2, similarity.shape[1], dtype=dtype)
    for row, cells in zip(seeds[0], (data['fg_cells'], data['bg_cells'])):
        row[cells] = 1 / len(cells)
    scores = propagation_scores(similarity, seeds, r, c, hops, float(data['beta']))
    for row, name in zip(scores[0], ('pi_f', 'pi_b')):
        np.testing.assert_allclose(
            row.numpy(), data[f'{name}_{hops}'], rtol=0, atol=atol
        )


def test_two_by_two_by_hand():
    similarity = torch.tensor([[[0.5, 0.5], [0.25, 0.75]]], dtype=torch.float64)
    r, c = sinkhorn_scaling(similarity, tol=1e-12)
    seeds = torch.eye(2, dtype=torch.float64)[None]
    three = propagation_scores(similarity, seeds, r, c, 3)[0]
    absorbing = propagation_scores(similarity, seeds, r, c, 'inf', 0.25)[0]
    assert three.diagonal().tolist() == pytest.approx([0.509619] * 2, abs=1e-6)
    assert absorbing.diagonal().tolist() == pytest.approx([0.901924] * 2, abs=1e-6)


def test_absorbing_chain_to_float_precision():
    similarity, seeds, r, c = problem(2, 40, 2)
    expected = dense_reference(similarity, seeds, r, c, 'inf')
    scores = propagation_scores(
        *(tensor.float() for tensor in (similarity, seeds, r, c)), 'inf'
    )
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.double(), expected, rtol=1e-6, atol=0)


def test_infinity_of_the_command_line_is_the_absorbing_chain():
    arguments = problem(1, 9, 2)
    endless = propagation_scores(*arguments, float('inf'))
    assert torch.equal(endless, propagation_scores(*arguments, 'inf'))


def test_samples_do_not_depend_on_the_batch():
    arguments = problem(5, 64, 2, dtype=torch.float32)
    together = propagation_scores(*arguments)
    for index in range(5):
        one = [tensor[index : index + 1] for tensor in arguments]
        assert torch.equal(together[index : index + 1], propagation_scores(*one))


def test_full_precision_under_autocast():
    arguments = problem(2, 32, 2, dtype=torch.float32)
    expected = propagation_scores(*arguments)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(propagation_scores(*arguments), expected)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(seeds=torch.zeros(1, 2, 5)), r'seeds: expected shape \(1, k, 4\), got'),
        (dict(row_scale=torch.zeros(4)), r'row_scale: expected shape \(1, 4\), got'),
        (dict(hops=-1), "hops: expected an integer >= 0 or 'inf', got -1"),
        (dict(hops=2.5), "hops: expected an integer >= 0 or 'inf', got 2.5"),
        (dict(hops='inf', beta=1.0), r'beta: expected a number in \[0, 1\), got 1.0'),
    ],
)
def test_wrong_arguments(change, message):
    arguments = dict(
        similarity=torch.ones(1, 4, 4),
        seeds=torch.ones(1, 2, 4),
        row_scale=torch.ones(1, 4),
        col_scale=torch.ones(1, 4),
    )
    with pytest.raises(ValueError, match=message):
        propagation_scores(**{**arguments, **change})


@pytest.mark.parametrize('place', range(4))
@pytest.mark.parametrize('value', [torch.nan, torch.inf, -torch.inf])
def test_numbers_that_are_not_finite_are_refused(place, value):
    given = [torch.eye(3)[None], torch.ones(1, 2, 3), torch.ones(1, 3)]
    given.append(torch.ones(1, 3))
    given[place].view(-1)[0] = value
    for hops in (1, 'inf'):
        with pytest.raises(ValueError, match='scores: expected finite'):
            propagation_scores(*given, hops=hops)
