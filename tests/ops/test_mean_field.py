from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import mean_field_refine

GOLDEN = Path(__file__).parents[1] / 'golden' / 'exits'


def unfold_reference(
    image, prob, target, num_iters=100, zeta=0.1, low=0.1, high=0.9, size=3
):
    """The textbook formulation: unfold, weigh, sum; every iteration is run."""
    batch, channels, height, width = image.shape
    taps, pad = size * size, size // 2

    def windows(maps):
        return F.unfold(maps, size, padding=pad).view(batch, -1, taps, height * width)

    inside = windows(torch.ones_like(image[:, :1]))[:, 0]
    colours = windows(image)
    squared = (colours - image.view(batch, channels, 1, -1)).square().sum(1)
    kernel = torch.exp(-squared / (2 * zeta**2)) * inside
    q = (prob if target is None else prob * target).clamp(low, high)
    for _ in range(num_iters):
        logs = windows(torch.stack([q.log(), (1 - q).log()], 1))
        energy = (logs * kernel[:, None]).sum(2).view(batch, 2, height, width)
        f, b = energy.exp().unbind(1)
        f = f if target is None else f * target
        q = (f / (f + b + 1e-6)).clamp(low, high)
    return q > 0.5, q


def scene(batch, height, width, seed=0, dtype=torch.float64):
    """A piecewise smooth image with noise, a rough probability and a box."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape):
        return torch.rand(shape, generator=generator, dtype=dtype)

    coarse = rand(batch, 3, 4, 4) * 2
    image = F.interpolate(coarse, size=(height, width), mode='nearest')
    image = image + 0.1 * rand(batch, 3, height, width)
    prob = rand(batch, height, width)
    target = torch.zeros(batch, height, width, dtype=dtype)
    target[:, height // 8 :, : max(1, 7 * width // 8)] = 1
    target[:, height // 8] = 0.5
    return image, prob, target


@pytest.mark.parametrize('index', [1, 2, 3, 4, 5])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_golden(index, dtype):
    data = np.load(GOLDEN / f'meanfield_{index}.npz')
    image, prob, target = (
        torch.from_numpy(data[key]).to(dtype) for key in ('image', 'prob', 'target')
    )
    refined, marginal = mean_field_refine(
        image,
        prob,
        target if target.numel() else None,
        num_iters=int(data['num_iter']),
        zeta=float(data['zeta']),
        low=float(data['low']),
        high=float(data['high']),
        kernel_size=int(data['kernel_size']),
    )
    assert refined.dtype == torch.bool
    assert marginal.dtype == dtype
    assert np.array_equal(refined.numpy(), data['refined'].astype(bool))
    np.testing.assert_allclose(marginal.numpy(), data['marginal'], rtol=0, atol=5e-4)


@pytest.mark.parametrize(
    ('iters', 'expected'), [(1, 0.7273), (2, 0.8767), (3, 0.9), (100, 0.9)]
)
def test_two_equal_pixels_by_hand(iters, expected):
    image = torch.zeros(1, 1, 1, 2)
    prob = torch.tensor([[[0.8, 0.4]]])
    refined, marginal = mean_field_refine(image, prob, torch.ones(1, 1, 2), iters)
    assert marginal.flatten().tolist() == pytest.approx([expected] * 2, abs=1e-4)
    assert refined.all()


def test_two_different_pixels_by_hand():
    image = torch.tensor([[[[0.0, 9.0]]]])
    prob = torch.tensor([[[0.8, 0.4]]])
    refined, marginal = mean_field_refine(image, prob, None)
    assert marginal.flatten().tolist() == pytest.approx([0.8, 0.4], abs=1e-3)
    assert refined.flatten().tolist() == [True, False]


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(
        st.integers(1, 3), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99)
    ),
    size=st.sampled_from([1, 3, 5]),
    iters=st.integers(0, 12),
    boxed=st.booleans(),
)
def test_equals_unfold(shape, size, iters, boxed):
    image, prob, target = scene(*shape)
    target = target if boxed else None
    options = dict(num_iters=iters, zeta=0.3)
    refined, marginal = mean_field_refine(
        image, prob, target, kernel_size=size, **options
    )
    _, expected = unfold_reference(image, prob, target, size=size, **options)
    torch.testing.assert_close(marginal, expected, rtol=0, atol=1e-10)
    clear = (expected - 0.5).abs() > 1e-9
    assert torch.equal(refined[clear], (expected > 0.5)[clear])


def test_float32_labels_equal_unfold_in_float64():
    image, prob, target = scene(2, 48, 40)
    refined, _ = mean_field_refine(image.float(), prob.float(), target.float())
    expected, marginal = unfold_reference(image, prob, target)
    clear = (marginal - 0.5).abs() > 1e-4
    assert clear.float().mean() > 0.99
    assert torch.equal(refined[clear], expected[clear])


def test_early_stop_is_bitwise_the_full_run(monkeypatch):
    _, prob, target = scene(2, 20, 24, dtype=torch.float32)
    target = torch.ones_like(target)
    image = torch.zeros(2, 3, 20, 24)
    image[..., 12:] = 5
    prob = 0.6 + 0.4 * prob
    equal, calls = torch.equal, []
    monkeypatch.setattr(
        torch, 'equal', lambda a, b: calls.append(0) or bool((a == b).all())
    )
    _, early = mean_field_refine(image, prob, target, num_iters=400)
    assert len(calls) < 400
    monkeypatch.setattr(torch, 'equal', lambda a, b: False)
    _, full = mean_field_refine(image, prob, target, num_iters=400)
    assert equal(early, full)


@pytest.mark.parametrize('size', [(16, 16), (13, 7)])
def test_samples_do_not_depend_on_the_batch(size):
    image, prob, target = scene(5, *size, dtype=torch.float32)
    _, together = mean_field_refine(image, prob, target)
    for index in range(5):
        one = slice(index, index + 1)
        _, alone = mean_field_refine(image[one], prob[one], target[one])
        assert torch.equal(together[one], alone)


def test_autocast_and_half_precision_input():
    image, prob, target = scene(1, 16, 16, dtype=torch.float32)
    _, expected = mean_field_refine(image, prob, target)
    with torch.autocast('cpu', torch.bfloat16):
        _, marginal = mean_field_refine(image, prob, target)
    assert torch.equal(marginal, expected)
    _, marginal = mean_field_refine(image.half(), prob.half(), target)
    assert marginal.dtype == torch.float32
    half = [tensor.half().float() for tensor in (image, prob)]
    assert torch.equal(marginal, mean_field_refine(*half, target)[1])


def test_gives_no_gradient_and_leaves_its_input():
    image, prob, target = scene(1, 8, 8, dtype=torch.float32)
    before = prob.clone()
    prob.requires_grad_()
    refined, marginal = mean_field_refine(image, prob, target)
    assert not marginal.requires_grad
    assert not refined.requires_grad
    assert torch.equal(prob.detach(), before)


def test_nothing_outside_the_box():
    image, prob, _ = scene(1, 8, 8)
    refined, marginal = mean_field_refine(image, prob, torch.zeros(1, 8, 8))
    assert not refined.any()
    assert torch.equal(marginal, torch.full_like(marginal, 0.1))


def test_empty_batch():
    refined, marginal = mean_field_refine(
        torch.zeros(0, 3, 8, 8), torch.zeros(0, 8, 8), torch.zeros(0, 8, 8)
    )
    assert refined.shape == marginal.shape == (0, 8, 8)


@pytest.mark.parametrize(
    ('image', 'prob', 'target', 'message'),
    [
        ((1, 8, 8), (1, 8, 8), None, r'image: expected shape \(B, C, H, W\), got'),
        ((1, 3, 8, 8), (1, 8, 9), None, r'prob: expected shape \(1, 8, 8\), got \(1, '),
        ((1, 3, 8, 8), (1, 8, 8), (2, 8, 8), r'target: expected shape \(1, 8, 8\), go'),
    ],
)
def test_wrong_shapes(image, prob, target, message):
    with pytest.raises(ValueError, match=message):
        mean_field_refine(
            torch.zeros(image),
            torch.zeros(prob),
            None if target is None else torch.zeros(target),
        )


def test_even_window():
    with pytest.raises(ValueError, match='kernel_size: expected an odd number, got 4'):
        mean_field_refine(
            torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8), None, kernel_size=4
        )
