"""Losses of BESTIE: golden cases, a plain reference, empty and broken input."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.losses import (
    CenterLoss,
    HardPixelCrossEntropy,
    OffsetLoss,
    center_loss,
    hard_pixel_cross_entropy,
    offset_loss,
)
from mmwsis.registry import MODELS

GOLDEN = Path(__file__).parents[2] / 'golden' / 'bestie'
CASES = ('losses_0', 'losses_binary_1', 'losses_empty_2')
CLOSE = dict(rtol=0, atol=1e-6)


def golden_tensors(case):
    return {k: torch.from_numpy(v) for k, v in np.load(GOLDEN / f'{case}.npz').items()}


def relative(value, expected):
    return abs(value - expected) / max(abs(expected), 1e-12)


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('name', ['center', 'offset'])
def test_golden_guided_losses(case, name):
    golden = golden_tensors(case)
    pred = golden[f'out_{name}'].requires_grad_()
    loss = MODELS.build(dict(type=f'mmwsis.{name.title()}Loss'))
    value = loss(pred, golden[f'tgt_{name}'], golden['weight'])
    value.backward()
    assert relative(value.item(), golden[f'loss_{name}'].item()) <= 1e-6
    torch.testing.assert_close(pred.grad, golden[f'grad_{name}'], **CLOSE)


@pytest.mark.parametrize('case', CASES)
def test_golden_semantic_loss(case):
    golden = golden_tensors(case)
    logits = golden['out_seg'].requires_grad_()
    value = HardPixelCrossEntropy()(logits, golden['seg'])
    value.backward()
    assert relative(value.item(), golden['loss_seg_top20'].item()) <= 1e-6
    torch.testing.assert_close(logits.grad, golden['grad_seg_top20'], **CLOSE)
    mean = hard_pixel_cross_entropy(logits, golden['seg'], ratio=None)
    assert relative(mean.item(), golden['loss_seg_mean'].item()) <= 1e-6


def test_one_pixel_by_hand():
    weight = torch.full((1, 1, 1, 1), 0.5)
    center, offset = torch.tensor([[0.2, -0.4], [3.0, -1.0]]).view(2, 1, 2, 1, 1)
    zero = torch.zeros_like(center)
    assert center_loss(center, zero, weight).item() == pytest.approx(0.1)
    assert offset_loss(offset, zero, weight).item() == 2
    assert CenterLoss(200)(center, zero, weight).item() == pytest.approx(20)
    assert OffsetLoss(0.01)(offset, zero, weight).item() == pytest.approx(0.02)


def test_without_guidance_all_elements_count():
    pred, target = torch.randn(
        2, 2, 2, 5, 4, generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(
        center_loss(pred, target), torch.nn.functional.mse_loss(pred, target)
    )
    torch.testing.assert_close(
        offset_loss(pred, target), torch.nn.functional.l1_loss(pred, target)
    )


def test_an_image_without_instances_does_not_weigh_down_the_others():
    pred, target = torch.rand(2, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    weight = torch.ones(2, 1, 4, 5)
    weight[1] = 0
    alone = center_loss(pred[:1], target[:1], weight[:1])
    torch.testing.assert_close(center_loss(pred, target, weight), alone)


@pytest.mark.parametrize('batch', [0, 2])
@pytest.mark.parametrize('guided', [True, False])
def test_nothing_labelled_gives_zero_with_a_graph(batch, guided):
    pred = torch.rand(batch, 2, 4, 5, requires_grad=True)
    weight = torch.zeros(batch, 1, 4, 5) if guided else None
    target = torch.zeros(batch, 2, 4, 5) if guided else pred.detach()
    for loss in (center_loss, offset_loss):
        value = loss(pred, target, weight)
        value.backward()
        assert value.item() == 0 and not pred.grad.any()


@pytest.mark.parametrize('ratio', [0.2, None])
def test_all_pixels_ignored_give_zero_with_a_graph(ratio):
    logits = torch.rand(2, 3, 4, 5, requires_grad=True)
    target = torch.full((2, 4, 5), 255, dtype=torch.uint8)
    value = hard_pixel_cross_entropy(logits, target, ratio)
    value.backward()
    assert value.item() == 0 and not logits.grad.any()
    assert hard_pixel_cross_entropy(logits[:0], target[:0], ratio).item() == 0


def pixels(*losses):
    """Logits whose cross-entropy with class 0 is this at each pixel, and the target."""
    logits = torch.tensor(losses).expm1().log().view(1, 1, 1, -1)
    logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return logits, torch.zeros(1, 1, len(losses), dtype=torch.int64)


def test_the_hardest_pixels_are_averaged():
    logits, target = pixels(*range(1, 11))
    assert hard_pixel_cross_entropy(logits, target).item() == pytest.approx(9.5)
    target[..., -1] = 255  # the worst one counts as 0, and still as a pixel
    assert hard_pixel_cross_entropy(logits, target).item() == pytest.approx(8.5)
    logits, target = pixels(1.0, 3.0, 2.0)  # 0.2 * 3 < 1
    assert hard_pixel_cross_entropy(logits, target).item() == pytest.approx(3)


def test_autocast_does_not_change_them():
    generator = torch.Generator().manual_seed(0)
    pred, target = torch.rand(2, 2, 3, 8, 8, generator=generator) * 300
    weight = torch.rand(2, 1, 8, 8, generator=generator)
    labels = torch.randint(0, 3, (2, 8, 8), generator=generator)

    def values(pred):
        guided = center_loss(pred, target, weight), center_loss(pred, target)
        return [*guided, hard_pixel_cross_entropy(pred, labels)]

    half = pred.bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = values(half)
    assert all(one.dtype == torch.float32 for one in found)
    assert found == values(half.float())


def test_nan_is_handed_on():
    pred = torch.zeros(1, 2, 2, 3)
    pred[0, 0, 0, 0] = torch.nan
    weight = torch.zeros(1, 1, 2, 3)  # not even looked at
    labels = torch.zeros(1, 2, 3, dtype=torch.int64)
    for value in (
        center_loss(pred, torch.zeros_like(pred), weight),
        offset_loss(pred, torch.zeros_like(pred)),
        hard_pixel_cross_entropy(pred, labels),
    ):
        assert value.isnan()


def test_errors_name_what_is_wrong():
    pred = torch.zeros(1, 3, 4, 5)
    with pytest.raises(ValueError, match=r'weight: expected shape \(1, 1, 4, 5\)'):
        center_loss(pred, pred, torch.ones(1, 4, 5))
    with pytest.raises(ValueError, match=r'pred: expected shape \(B, 2, H, W\)'):
        offset_loss(pred, pred)
    with pytest.raises(TypeError, match='target: expected integers'):
        hard_pixel_cross_entropy(pred, torch.zeros(1, 4, 5))
    with pytest.raises(ValueError, match=r'ratio: expected a number in \(0, 1\]'):
        HardPixelCrossEntropy(ratio=20)
