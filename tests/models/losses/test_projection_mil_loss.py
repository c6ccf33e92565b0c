from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.losses import (
    ProjectionMILLoss,
    dice_loss,
    downsample_box_mask,
    projection_mil_loss,
)
from mmwsis.registry import MODELS

GOLDEN = Path(__file__).parents[2] / 'golden' / 'exits'


def slow_projection(prob, target):
    """Loop over samples, rows and columns."""
    losses = []
    for mask, box in zip(prob, target):
        rows = [torch.stack([row.max() for row in m]) for m in (mask, box)]
        cols = [torch.stack([col.max() for col in m.T]) for m in (mask, box)]
        losses.append(sum(dice_loss(a[None], b[None])[0] for a, b in (rows, cols)))
    return torch.stack(losses)


@pytest.mark.parametrize('index', [21, 22])
def test_golden(index):
    data = np.load(GOLDEN / f'dice_mil_{index}.npz')
    pred, target = torch.from_numpy(data['pred']), torch.from_numpy(data['target'])
    losses = projection_mil_loss(pred, target).numpy()
    np.testing.assert_allclose(losses, data['mil'], rtol=0, atol=1e-5)


def test_by_hand():
    prob = torch.tensor([[[0, 0.5], [0.2, 0]]])
    target = torch.tensor([[[0.0, 1], [0, 0]]])
    loss = projection_mil_loss(prob, target).item()
    assert loss == pytest.approx(0.452012, abs=1e-6)


def test_equals_loops():
    prob, target = torch.rand(2, 3, 7, 5, dtype=torch.float64)
    torch.testing.assert_close(
        projection_mil_loss(prob, target), slow_projection(prob, target)
    )


def test_gradient():
    # Distinct values: the maximum has no gradient where two are equal.
    prob = torch.randperm(60).double().view(2, 5, 6) / 61 + 0.005
    target = torch.rand(2, 5, 6, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        projection_mil_loss, (prob.requires_grad_(), target)
    )


def test_module_divides_by_the_batch_and_a_little():
    module = MODELS.build(dict(type='mmwsis.ProjectionMILLoss', loss_weight=4.0))
    assert isinstance(module, ProjectionMILLoss)
    prob, target = torch.rand(2, 3, 8, 8)
    expected = 4 * projection_mil_loss(prob, target).sum() / (3 + 1e-4)
    torch.testing.assert_close(module(prob, target), expected)


def test_empty_batch_is_a_zero_with_a_graph():
    prob = torch.zeros(0, 8, 8, requires_grad=True)
    loss = ProjectionMILLoss()(prob, torch.zeros(0, 8, 8))
    assert loss.item() == 0
    loss.backward()
    assert prob.grad.shape == (0, 8, 8)


def test_full_precision():
    prob, target = torch.rand(2, 2, 32, 32)
    expected = projection_mil_loss(prob, target)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(projection_mil_loss(prob, target), expected)
    assert projection_mil_loss(prob.half(), target).dtype == torch.float32


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r'prob: expected shape \(B, H, W\), got \(2'):
        projection_mil_loss(torch.zeros(2, 1, 8, 8), torch.zeros(2, 8, 8))
    with pytest.raises(ValueError, match=r'box_target: expected shape \(2, 8, 8\), go'):
        projection_mil_loss(torch.zeros(2, 8, 8), torch.zeros(2, 16, 16))


def test_box_target_is_the_mean_of_two_central_samples_an_axis():
    masks = torch.zeros(2, 512, 512, dtype=torch.uint8)
    masks[0, 101:390, 37:402] = 1
    masks[1, :, 3:6] = 1
    targets = downsample_box_mask(masks, (128, 128))
    assert targets.dtype == torch.float32
    values = masks.double().numpy()
    expected = np.empty((2, 128, 128))
    for sample, row, col in np.ndindex(2, 128, 128):
        y, x = 4 * row + 1, 4 * col + 1
        expected[sample, row, col] = values[sample, y : y + 2, x : x + 2].mean()
    assert np.array_equal(targets.numpy(), expected)
    assert set(np.unique(expected)) >= {0, 0.5, 1}


def test_box_target_of_an_empty_batch():
    assert downsample_box_mask(torch.zeros(0, 512, 512), (128, 128)).shape == (
        0,
        128,
        128,
    )


def test_touched_cells_are_those_with_a_pixel_of_the_box():
    masks = torch.zeros(2, 12, 12, dtype=torch.uint8)
    masks[0, 3:8, 5:6] = masks[1, 0:4, 4:12] = 1
    targets = downsample_box_mask(masks, (6, 6), 'touched')
    for mask, target in zip(masks, targets):
        for row, column in np.ndindex(6, 6):
            block = mask[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            assert target[row, column] == float(block.any())
    # The cell that the box covers by half is one half otherwise.
    assert downsample_box_mask(masks, (6, 6))[0, 1, 2] == 0.25
    with pytest.raises(ValueError, match="one of .*'touched'.*, got 'half'"):
        downsample_box_mask(masks, (6, 6), 'half')
