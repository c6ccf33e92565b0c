from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.losses import (
    ExtremePointLoss,
    dice_loss,
    point_labels,
    point_loss,
    projection_mil_loss,
)
from mmwsis.ops import PointRetrieval, drop_points, lacks_pseudo_points
from mmwsis.registry import MODELS

GOLDEN = Path(__file__).parents[2] / 'golden' / 'exits'


def from_states(states):
    """States of the golden files: 1, 2 initial, 3, 4 pseudo; foreground first."""
    grids = [states == state for state in (1, 2, 3, 4)]
    return PointRetrieval(*grids, states.double(), states.double())


def random_case(batch=3, side=4, factor=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    states = torch.randint(0, 5, (batch, side, side), generator=generator)
    size = side * factor
    prob = torch.rand(batch, size, size, generator=generator, dtype=dtype)
    box = torch.zeros(batch, size, size, dtype=dtype)
    box[:, 2:11, 3:14] = 1
    return prob, box, from_states(states)


def without_pseudo(retrieval):
    nothing = torch.zeros_like(retrieval.pseudo_fg)
    return retrieval._replace(pseudo_fg=nothing, pseudo_bg=nothing)


def slow_point_loss(prob, box, before, after, mil_weight=10.0):
    """Loop over samples and cells; central samples of each block."""
    losses = []
    side = after.init_fg.shape[1]
    factor = prob.shape[1] // side
    for index in range(len(prob)):
        small, labels = torch.zeros(2, side, side, dtype=torch.float64)
        for row, col in np.ndindex(side, side):
            y, x = factor * row + factor // 2, factor * col + factor // 2
            value = prob[index, y - 1 : y + 1, x - 1 : x + 1].mean()
            fg = after.init_fg[index, row, col] or after.pseudo_fg[index, row, col]
            bg = after.init_bg[index, row, col] or after.pseudo_bg[index, row, col]
            small[row, col] = value if fg or bg else 0
            labels[row, col] = float(fg)
        loss = dice_loss(small[None], labels[None])[0]
        if not (before.pseudo_fg[index].any() or before.pseudo_bg[index].any()):
            one = slice(index, index + 1)
            loss = loss + mil_weight * projection_mil_loss(prob[one], box[one])[0]
        losses.append(loss)
    return torch.stack(losses)


@pytest.mark.parametrize('index', [111, 112])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_golden(index, dtype):
    data = np.load(GOLDEN / f'pointloss_{index}.npz')
    prob, box = (torch.from_numpy(data[name]).to(dtype) for name in ('M', 'box'))
    retrieval = from_states(torch.from_numpy(data['cell_state']))
    foreground, labelled = point_labels(retrieval)
    assert np.array_equal(foreground.numpy(), data['Y'].astype(bool))
    assert np.array_equal(labelled.numpy(), data['K'].astype(bool))
    assert np.array_equal(lacks_pseudo_points(retrieval).numpy(), data['fallback'])
    weight = float(data['lambda_mil'])
    losses = point_loss(prob, box, retrieval, retrieval, weight)
    expected = data['point_loss_per_sample']
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-5)
    mean = ExtremePointLoss(1.0, weight)(prob, box, retrieval, retrieval).item()
    assert mean == pytest.approx(float(data['point_loss']), abs=1e-5)


@pytest.mark.parametrize('factor', [2, 4, 6])
def test_equals_loops(factor):
    prob, box, before = random_case(factor=factor)
    before.pseudo_fg[1] = before.pseudo_bg[1] = False
    after = drop_points(before, 0.5, torch.Generator().manual_seed(0))
    losses = point_loss(prob, box, before, after)
    expected = slow_point_loss(prob, box, before, after)
    torch.testing.assert_close(losses, expected, rtol=1e-10, atol=1e-12)


def test_fallback_is_decided_before_dropout():
    prob, box, before = random_case()
    after = without_pseudo(before)
    dropped = point_loss(prob, box, before, after)
    never = point_loss(prob, box, after, after)
    mil = projection_mil_loss(prob, box)
    torch.testing.assert_close(never, dropped + 10 * mil)


def test_initial_points_outlive_dropout():
    _, _, before = random_case()
    foreground, labelled = point_labels(drop_points(before, 1.0))
    assert torch.equal(foreground, before.init_fg)
    assert torch.equal(labelled, before.init_fg | before.init_bg)


def test_gradient():
    prob, box, retrieval = random_case(batch=2, side=2, factor=4)
    prob = torch.randperm(prob.numel()).double().view_as(prob) / prob.numel()
    points = retrieval._replace(
        pseudo_fg=retrieval.pseudo_fg.clone(), pseudo_bg=retrieval.pseudo_bg.clone()
    )
    points.pseudo_fg[0] = points.pseudo_bg[0] = False
    assert torch.autograd.gradcheck(
        lambda p: point_loss(p, box[:, :8, :8], points, points),
        (prob.requires_grad_(),),
    )


def test_unlabelled_cells_get_no_gradient():
    prob, box, retrieval = random_case()
    prob.requires_grad_()
    point_loss(prob, box, retrieval, retrieval).sum().backward()
    _, labelled = point_labels(retrieval)
    pixels = labelled.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert not prob.grad[~pixels].any()
    assert prob.grad[pixels].any()


def test_module_is_registered_and_weighted():
    module = MODELS.build(
        dict(type='mmwsis.ExtremePointLoss', loss_weight=0.05, mil_weight=2.0)
    )
    prob, box, before = random_case()
    after = without_pseudo(before)
    expected = 0.05 * point_loss(prob, box, after, after, 2.0).mean()
    torch.testing.assert_close(module(prob, box, after, after), expected)


def test_empty_batch_is_a_zero_with_a_graph():
    prob, box, retrieval = random_case()
    empty = PointRetrieval(*(tensor[:0] for tensor in retrieval))
    prob = prob[:0].requires_grad_()
    loss = ExtremePointLoss()(prob, box[:0], empty, empty)
    loss.backward()
    assert loss.item() == 0
    assert prob.grad.shape == prob.shape


def test_full_precision():
    prob, box, retrieval = random_case(dtype=torch.float32)
    expected = point_loss(prob, box, retrieval, retrieval)
    with torch.autocast('cpu', torch.bfloat16):
        losses = point_loss(prob, box, retrieval, retrieval)
    assert losses.dtype == torch.float32
    assert torch.equal(losses, expected)
    half = point_loss(prob.half(), box.half(), retrieval, retrieval)
    assert half.dtype == torch.float32


def test_wrong_shapes():
    prob, box, retrieval = random_case()
    with pytest.raises(
        ValueError, match=r'prob: expected shape \(B, H, W\), got \(3, '
    ):
        point_loss(prob[:, None], box, retrieval, retrieval)
    with pytest.raises(ValueError, match=r'box_target: expected shape \(3, 16, 16\)'):
        point_loss(prob, box[:2], retrieval, retrieval)
    fewer = PointRetrieval(*(tensor[:2] for tensor in retrieval))
    with pytest.raises(
        ValueError, match=r'retrieval_before_dropout.pseudo_fg: expected shape \(3, 4, '
    ):
        point_loss(prob, box, fewer, retrieval)
