"""The loss of pixel pairs: golden cases, every pair by itself, the examples."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.losses import PixelEmbeddingLoss, pixel_embedding_loss
from mmwsis.ops import draw_pixel_groups, enlarged_at
from mmwsis.structures import Proposals

GOLDEN = Path(__file__).parents[2] / 'golden' / 'wise'


def randn(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


@pytest.mark.parametrize('dtype, limit', [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize('name', ['a', 'b'])
def test_golden_loss_and_gradient(name, dtype, limit):
    case = np.load(GOLDEN / f'embed_loss_{name}.npz')
    maps = torch.from_numpy(case['embeddings']).to(dtype).requires_grad_()
    anchors, samples = (
        enlarged_at(maps, torch.from_numpy(pixels[..., ::-1].copy()), maps.shape[1:])
        for pixels in (case['points_row_col'], case['samples_row_col'])
    )
    same = torch.eye(len(samples), dtype=torch.bool)[:-1]
    call = anchors, samples, same, float(case['eps'])
    found = {kind: pixel_embedding_loss(*call, kind) for kind in ('sum', 'mean')}
    for kind, loss in found.items():
        expected = float(case[f'loss_{kind}'])
        assert loss.item() == pytest.approx(expected, rel=limit)
    for i, g, k in np.ndindex(case['pair_loss'].shape):
        pair = anchors[i, None], samples[g, None, k, None]
        for same, name in ((i == g, 'pair_loss'), (True, 'z')):
            loss = pixel_embedding_loss(*pair, torch.tensor([[same]]), call[-1]).item()
            assert loss == pytest.approx(case[name][i, g, k], rel=limit, abs=0)
        assert np.exp(-loss) == pytest.approx(case['similarity'][i, g, k], rel=limit)
    (gradient,) = torch.autograd.grad(found['sum'], maps)
    expected = case['grad_sum']
    error = np.abs(gradient.numpy() - expected)
    assert (error <= limit * np.maximum(np.abs(expected), np.abs(expected).max())).all()


def pair_by_pair(anchors, samples, same, eps=1e-6):
    costs = []
    for anchor, row in zip(anchors, same):
        for group, is_same in zip(samples, row):
            for sample in group:
                z = (anchor - sample).square().sum() / (2 * len(anchor))
                apart = -torch.log(torch.clamp(1 - torch.exp(-z), min=eps))
                costs.append(z if is_same else apart)
    return torch.stack(costs)


@pytest.mark.parametrize('reduction', ['sum', 'mean'])
def test_loss_and_gradient_are_those_of_every_pair(reduction):
    anchors = randn(3, 6).requires_grad_()
    samples = randn(4, 5, 6, seed=1).requires_grad_()
    same = randn(3, 4, seed=2) > 0
    found = pixel_embedding_loss(anchors, samples, same, reduction=reduction)
    expected = getattr(pair_by_pair(anchors, samples, same), reduction)()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    for one, other in zip(
        torch.autograd.grad(found, [anchors, samples]),
        torch.autograd.grad(expected, [anchors, samples]),
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_the_examples():
    anchors, samples = torch.zeros(1, 4), torch.full((1, 1, 4), 2**0.5)
    same = pixel_embedding_loss(anchors, samples, torch.tensor([[True]]))
    assert same.item() == pytest.approx(1)
    apart = pixel_embedding_loss(anchors, samples, torch.tensor([[False]]))
    assert apart.item() == pytest.approx(0.458675, abs=1e-6)
    # Two objects: 2 * 3 * 2 pairs.
    rle = dict(size=[2, 3], counts='132')
    groups = draw_pixel_groups(
        [[1, 0], [1, 1]], Proposals([rle], [0.9], (2, 3)), np.random.default_rng(0)
    )
    drawn = torch.ones(*groups.pixels.shape[:2], 4)
    ratio = [
        pixel_embedding_loss(
            torch.zeros(2, 4), drawn, torch.from_numpy(groups.same), reduction=kind
        )
        for kind in ('sum', 'mean')
    ]
    assert (ratio[0] / ratio[1]).item() == pytest.approx(12)


def test_equal_pixels_of_two_objects_have_a_finite_loss():
    anchors = torch.ones(1, 4, requires_grad=True)
    loss = pixel_embedding_loss(anchors, torch.ones(1, 2, 4), torch.tensor([[False]]))
    assert loss.item() == pytest.approx(-2 * math.log(1e-6))
    loss.backward()
    assert not anchors.grad.any()


def test_near_pixels_far_from_the_origin_keep_their_difference():
    samples = torch.full((1, 1, 64), 1000.0)
    anchors = samples[0] + 2**-8
    loss = pixel_embedding_loss(anchors, samples, torch.tensor([[False]]))
    assert loss.item() == pytest.approx(-math.log(-math.expm1(-(2**-17))), rel=1e-4)


def test_far_pixels_cost_what_they_should():
    anchors, samples = torch.zeros(1, 1), torch.full((1, 1, 1), 1000.0)
    costs = [
        pixel_embedding_loss(anchors, samples, torch.tensor([[same]])).item()
        for same in (True, False)
    ]
    assert costs == [500_000, 0]


@pytest.mark.parametrize('anchors, groups, k', [(0, 0, 0), (0, 1, 3), (2, 0, 3)])
def test_an_image_without_objects_gives_a_zero_with_a_graph(anchors, groups, k):
    maps = torch.rand(8, 3, 4, requires_grad=True)
    pixels = [torch.zeros(*shape, 2).long() for shape in ((anchors,), (groups, k))]
    found = [enlarged_at(maps, one, (9, 9)) for one in pixels]
    same = torch.zeros(anchors, groups, dtype=torch.bool)
    for reduction in ('sum', 'mean'):
        loss = pixel_embedding_loss(*found, same, reduction=reduction)
        assert loss.shape == () and loss.item() == 0
        (gradient,) = torch.autograd.grad(loss, maps, retain_graph=True)
        assert not gradient.any()


def test_autocast_changes_nothing():
    call = randn(2, 64).float(), randn(3, 2, 64).float(), torch.eye(3)[:2].bool()
    expected = pixel_embedding_loss(*call)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(pixel_embedding_loss(*call), expected)
        maps, pixels = randn(4, 3, 3).float(), torch.tensor([[2, 5]])
        found = enlarged_at(maps, pixels, (7, 7))
    assert torch.equal(found, enlarged_at(maps, pixels, (7, 7)))


def test_the_module_weighs_the_loss():
    call = torch.zeros(1, 4), torch.ones(1, 2, 4), torch.tensor([[True]])
    assert PixelEmbeddingLoss(loss_weight=0.5)(*call).item() == 0.5
    assert PixelEmbeddingLoss(reduction='mean')(*call).item() == 0.5


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(reduction='none'), r"expected one of \('sum', 'mean'\), got 'none'"),
        (dict(eps=0), r'eps: expected a number in \(0, 1\), got 0'),
        (dict(loss_weight=-1), r'loss_weight: expected a number in \[0, inf\)'),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PixelEmbeddingLoss(**settings)
