from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.models.losses import dice_loss

GOLDEN = Path(__file__).parents[2] / 'golden' / 'exits'


def slow_dice(pred, target, eps=1e-3):
    """One sample on Python numbers."""
    pairs = list(zip(pred.flatten().tolist(), target.flatten().tolist()))
    overlap = sum(a * b for a, b in pairs)
    squares = sum(a * a for a, _ in pairs) + eps + sum(b * b for _, b in pairs) + eps
    return 1 - 2 * overlap / squares


@pytest.mark.parametrize('index', [21, 22])
def test_golden(index):
    data = np.load(GOLDEN / f'dice_mil_{index}.npz')
    pred, target = torch.from_numpy(data['pred']), torch.from_numpy(data['target'])
    losses = dice_loss(pred, target).numpy()
    np.testing.assert_allclose(losses, data['dice'], rtol=0, atol=1e-5)


def test_by_hand():
    pred, target = torch.tensor([[1.0, 0, 1, 1]]), torch.tensor([[1.0, 1, 0, 1]])
    assert dice_loss(pred, target).item() == pytest.approx(0.333555, abs=1e-6)


def test_two_empty_masks_cost_one_without_gradient():
    pred = torch.zeros(2, 4, 4, requires_grad=True)
    losses = dice_loss(pred, torch.zeros(2, 4, 4))
    losses.sum().backward()
    assert losses.tolist() == [1, 1]
    assert not pred.grad.any()


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 999),
    eps=st.sampled_from([1e-3, 1e-6, 1.0]),
)
def test_equals_python_numbers(shape, seed, eps):
    generator = torch.Generator().manual_seed(seed)
    pred, target = torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    losses = dice_loss(pred, target, eps)
    expected = [slow_dice(a, b, eps) for a, b in zip(pred, target)]
    assert losses.tolist() == pytest.approx(expected, abs=1e-12)
    assert ((losses >= -1e-12) & (losses <= 1)).all()


def test_gradient():
    pred, target = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(dice_loss, (pred.requires_grad_(), target))


def test_full_precision():
    pred, target = torch.rand(2, 2, 64, 64)
    expected = dice_loss(pred, target)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(dice_loss(pred, target), expected)
    assert dice_loss(pred.half(), target > 0.5).dtype == torch.float32


def test_empty_batch_keeps_the_graph():
    pred = torch.zeros(0, 4, 4, requires_grad=True)
    losses = dice_loss(pred, torch.zeros(0, 4, 4))
    assert losses.shape == (0,)
    losses.sum().backward()
    assert pred.grad.shape == (0, 4, 4)


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r'target: expected shape \(2, 4\), got \(2, '):
        dice_loss(torch.zeros(2, 4), torch.zeros(2, 5))
