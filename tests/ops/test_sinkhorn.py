from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import NonFiniteSimilarityError, sinkhorn_scaling

GOLDEN = Path(__file__).parents[1] / 'golden' / 'exits'


def scaled(similarity, **options):
    r, c = sinkhorn_scaling(similarity, **options)
    return r[:, :, None] * similarity * c[:, None]


def full_matrix_reference(similarity, max_iters=100, tol=1e-3):
    """Normalise rows, then columns, of one whole matrix; also count the iterations."""
    matrix, count = similarity.clone(), 0
    for _ in range(max_iters):
        matrix = matrix / matrix.sum(1, keepdim=True).clamp(min=1e-12)
        matrix = matrix / matrix.sum(0, keepdim=True).clamp(min=1e-12)
        count += 1
        if (matrix.sum(1) - 1).abs().max() < tol:
            break
    return matrix, count


def attention(batch, size, seed=0, sharpness=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    q, k = torch.randn(2, batch, size, 6, generator=generator, dtype=dtype)
    return (sharpness * q @ k.transpose(1, 2)).softmax(2)


def golden_similarity(data):
    if 'S' in data:
        return torch.from_numpy(data['S']).double()[None]
    q, k = (torch.from_numpy(data[name]).double() for name in ('q', 'k'))
    return (q @ k.T).softmax(1)[None]


@pytest.mark.parametrize('index', [91, 92, 93])
@pytest.mark.parametrize('iters', [1, 5, 20])
def test_golden_iterates(index, iters):
    data = np.load(GOLDEN / f'propagate_{index}.npz')
    matrix = scaled(golden_similarity(data), max_iters=iters, tol=0)[0].numpy()
    prefix = f'A_iter{iters}'
    np.testing.assert_allclose(
        matrix.sum(1), data[f'{prefix}_rowsum'], rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(
        np.diag(matrix), data[f'{prefix}_diag'], rtol=0, atol=1e-6
    )
    if prefix in data:
        np.testing.assert_allclose(matrix, data[prefix], rtol=0, atol=1e-6)


@pytest.mark.parametrize('index', [91, 92, 93])
@pytest.mark.parametrize(
    ('dtype', 'atol'), [(torch.float64, 1e-6), (torch.float32, 1e-5)]
)
def test_golden_converged(index, dtype, atol):
    data = np.load(GOLDEN / f'propagate_{index}.npz')
    similarity = golden_similarity(data).to(dtype)
    tol = 1e-13 if dtype == torch.float64 else 1e-6
    matrix = scaled(similarity, max_iters=3000, tol=tol)[0].double()
    transition = ((matrix + matrix.T) / 2).numpy()
    if 'T' in data:
        np.testing.assert_allclose(transition, data['T'], rtol=0, atol=atol)
    else:
        np.testing.assert_allclose(transition[0], data['T_row0'], rtol=0, atol=atol)
        np.testing.assert_allclose(
            np.diag(transition), data['T_diag'], rtol=0, atol=atol
        )


def test_two_by_two_by_hand():
    similarity = torch.tensor([[[0.5, 0.5], [0.25, 0.75]]], dtype=torch.float64)
    expected = [[0.633975, 0.366025], [0.366025, 0.633975]]
    matrix = scaled(similarity, tol=1e-9)[0]
    np.testing.assert_allclose(matrix.numpy(), expected, rtol=0, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    size=st.integers(1, 12),
    seed=st.integers(0, 999),
    sharpness=st.floats(0, 4),
    tol=st.sampled_from([1e-1, 1e-3, 1e-6]),
    max_iters=st.integers(1, 60),
)
def test_equals_full_matrix(size, seed, sharpness, tol, max_iters):
    similarity = attention(3, size, seed, sharpness)
    matrices = scaled(similarity, max_iters=max_iters, tol=tol)
    for matrix, sample in zip(matrices, similarity):
        expected, _ = full_matrix_reference(sample, max_iters, tol)
        torch.testing.assert_close(matrix, expected, rtol=1e-9, atol=1e-12)


def test_each_sample_stops_on_its_own():
    parts = [attention(1, 24, seed, sharp) for seed, sharp in enumerate((0.0, 0.5, 2))]
    similarity = torch.cat(parts)
    counts = [full_matrix_reference(sample)[1] for sample in similarity]
    assert len(set(counts)) == 3, counts
    r, c = sinkhorn_scaling(similarity)
    for index, count in enumerate(counts):
        one = slice(index, index + 1)
        # Exactly ``count`` iterations, whatever the rest of the batch needs.
        for options in (dict(max_iters=count, tol=0), dict()):
            alone = sinkhorn_scaling(similarity[one], **options)
            assert torch.equal(r[one], alone[0])
            assert torch.equal(c[one], alone[1])


def test_zero_and_vanishing_rows_and_columns_stay_finite():
    similarity = attention(4, 16, dtype=torch.float32)
    similarity[0, 3] = 0
    similarity[1, :, 5] = 0
    similarity[2] = 0
    similarity[3, 7] *= 1e-20
    matrices = scaled(similarity)
    assert matrices.isfinite().all()
    for matrix, sample in zip(matrices, similarity):
        expected, _ = full_matrix_reference(sample)
        torch.testing.assert_close(matrix, expected, rtol=1e-4, atol=1e-6)


def test_denormal_entries_do_no_harm():
    similarity = attention(1, 16, dtype=torch.float32)
    similarity[0, 2] = 1e-42
    similarity[0, :, 4] = 1e-42
    assert scaled(similarity).isfinite().all()


def test_non_finite_samples_are_named():
    similarity = attention(4, 8)
    similarity[1, 2, 3] = float('nan')
    similarity[3, 0, 0] = float('inf')
    with pytest.raises(NonFiniteSimilarityError, match=r'samples \[1, 3\]') as caught:
        sinkhorn_scaling(similarity)
    assert caught.value.batch_indices == [1, 3]
    assert isinstance(caught.value, ValueError)


def test_full_precision_under_autocast():
    similarity = attention(2, 32, sharpness=2.0, dtype=torch.float32)
    expected = sinkhorn_scaling(similarity)
    with torch.autocast('cpu', torch.bfloat16):
        given = sinkhorn_scaling(similarity)
        half = sinkhorn_scaling(similarity.bfloat16())
    assert all(torch.equal(a, b) for a, b in zip(given, expected))
    assert all(scale.dtype == torch.float32 for scale in half)


def test_empty_batch():
    r, c = sinkhorn_scaling(torch.zeros(0, 9, 9))
    assert r.shape == c.shape == (0, 9)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r'expected shape \(B, n, n\), got \(2, 4, 5'):
        sinkhorn_scaling(torch.zeros(2, 4, 5))
    with pytest.raises(ValueError, match='max_iters: expected an integer >= 1, got 0'):
        sinkhorn_scaling(torch.ones(1, 2, 2), max_iters=0)
