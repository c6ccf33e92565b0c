from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.losses import MeanFieldCRFLoss, dice_loss
from mmwsis.ops import mean_field_refine
from mmwsis.registry import MODELS

GOLDEN = Path(__file__).parents[2] / 'golden' / 'exits'


def batch(size=2, side=16, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(size, 3, side, side, generator=generator, dtype=dtype)
    student, teacher = torch.rand(2, size, side, side, generator=generator, dtype=dtype)
    box = torch.zeros(size, side, side, dtype=dtype)
    box[:, 3:12, 2:14] = 1
    return image, student, teacher, box


@pytest.mark.parametrize('index', [1, 2, 4, 5])
def test_golden(index):
    data = np.load(GOLDEN / f'meanfield_{index}.npz')
    image, prob, target = (
        torch.from_numpy(data[key]) for key in ('image', 'prob', 'target')
    )
    loss = MeanFieldCRFLoss(
        1.0, num_iters=int(data['num_iter']), zeta=float(data['zeta'])
    )
    value = loss(image, prob, prob, target).item()
    assert value == pytest.approx(float(data['crf_dice_loss']), abs=1e-5)


def test_golden_without_box():
    data = np.load(GOLDEN / 'meanfield_3.npz')
    image, prob = torch.from_numpy(data['image']), torch.from_numpy(data['prob'])
    refined, _ = mean_field_refine(image, prob, None)
    value = dice_loss(prob, refined).mean().item()
    assert value == pytest.approx(float(data['crf_dice_loss']), abs=1e-5)


def test_refines_the_mean_of_student_and_teacher():
    image, student, teacher, box = batch()
    module = MODELS.build(
        dict(type='mmwsis.MeanFieldCRFLoss', loss_weight=0.5, zeta=0.3, num_iters=20)
    )
    refined, _ = mean_field_refine(
        image, (student + teacher) / 2, box, num_iters=20, zeta=0.3
    )
    expected = 0.5 * dice_loss(student, refined).mean()
    torch.testing.assert_close(module(image, student, teacher, box), expected)


def test_gradient_goes_to_the_student_only():
    image, student, teacher, box = batch(side=8, dtype=torch.float64)
    # Away from one half, so that a small step does not move the refined labels.
    student = student.round() * 0.6 + 0.2
    module = MeanFieldCRFLoss(num_iters=3)
    student.requires_grad_()
    teacher.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda prob: module(image, prob, teacher, box), (student,)
    )
    module(image, student, teacher, box).backward()
    assert teacher.grad is None


def test_empty_target_costs_one():
    image, student, teacher, box = batch()
    student = torch.zeros_like(student).requires_grad_()
    loss = MeanFieldCRFLoss(1.0)(image, student, teacher, torch.zeros_like(box))
    loss.backward()
    assert loss.item() == 1
    assert not student.grad.any()


def test_empty_batch_is_a_zero_with_a_graph():
    image, student, teacher, box = (tensor[:0] for tensor in batch())
    student.requires_grad_()
    loss = MeanFieldCRFLoss()(image, student, teacher, box)
    loss.backward()
    assert loss.item() == 0
    assert student.grad.shape == student.shape


def test_full_precision_under_autocast():
    arguments = batch()
    module = MeanFieldCRFLoss()
    expected = module(*arguments)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(module(*arguments), expected)
    half = [tensor.bfloat16() for tensor in arguments]
    exact = [tensor.float() for tensor in half]
    assert torch.equal(module(*half), module(*exact))


def test_wrong_shapes():
    image, student, teacher, box = batch()
    module = MeanFieldCRFLoss()
    with pytest.raises(ValueError, match=r'teacher_prob: expected shape \(2, 16, 16\)'):
        module(image, student, teacher[:, :8], box)
    with pytest.raises(ValueError, match=r'prob: expected shape \(2, 8, 8\), got \(2'):
        module(image[..., :8, :8], student, teacher, box)
