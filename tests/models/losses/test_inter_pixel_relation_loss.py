import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.models.losses import inter_pixel_relation_loss as loss_function
from mmwsis.models.losses.inter_pixel_relation_loss import inter_pixel_relation_sums
from mmwsis.ops import pixel_directions, pixel_paths, source_window
from mmwsis.registry import MODELS

GOLDEN = Path(__file__).parents[2] / 'golden' / 'irnet'
FILES = ['a', 'b_r10_batch2', 'c_no_fg', 'd_all_ignore']
EPS = 1e-5
# Name of each loss here, its name in the golden files, its share of the total.
NAMES = [
    ('loss_affinity_bg', 'bg_pos_aff_loss', 1 / 4),
    ('loss_affinity_fg', 'fg_pos_aff_loss', 1 / 4),
    ('loss_affinity_neg', 'neg_aff_loss', 1 / 2),
    ('loss_displacement_fg', 'dp_fg_loss', 1 / 2),
    ('loss_displacement_bg', 'dp_bg_loss', 1 / 2),
]


def gather_affinity(edge, radius):
    """One gather of all pixels of all paths, as autograd differentiates it."""
    rows, cols, *_ = source_window(radius, *edge.shape[-2:])
    width = edge.shape[-1]
    flat = torch.arange(edge[0, 0].numel()).view(edge.shape[-2:])[rows, cols].flatten()
    maxima = []
    for path in pixel_paths(radius):
        pixels = [flat + y * width + x for y, x in path]
        values = edge.flatten(1)[:, torch.stack(pixels)]
        # The gradient goes to the first maximum of the path, in its order.
        first = (values == values.amax(1, keepdim=True)).to(torch.uint8).argmax(1)
        maxima.append(values.gather(1, first[:, None])[:, 0])
    return 1 - torch.stack(maxima, 1)


def pair_labels(labels, radius, num_classes):
    """Pairs of background, of one class, of two classes: (B, D, S) bool masks."""
    rows, cols, height, width = source_window(radius, *labels.shape[1:])
    source = labels[:, None, rows, cols]
    target = torch.stack(
        [
            labels[:, dy : dy + height, cols.start + dx : cols.start + dx + width]
            for dy, dx in pixel_directions(radius)
        ],
        1,
    )
    valid = (source >= 0) & (source <= num_classes)
    valid = valid & (target >= 0) & (target <= num_classes)
    same = valid & (source == target)
    masks = same & (source == 0), same & (source > 0), valid & (source != target)
    return [mask.flatten(2) for mask in masks]


def pair_maps(edge_logit, displacement, radius):
    """Every term of every pair as an array (B, D, S), as the formulas stand."""
    affinity = gather_affinity(edge_logit.sigmoid(), radius)
    rows, cols, height, width = source_window(radius, *edge_logit.shape[2:])
    source = displacement[:, :, rows, cols]
    distances = []
    for offset in pixel_directions(radius):
        y, x = offset[0], cols.start + offset[1]
        target = displacement[:, :, y : y + height, x : x + width]
        delta = (source - target).flatten(2)
        wanted = delta.new_tensor(offset)[:, None]
        distances.append(torch.stack([(delta - wanted).abs(), delta.abs()]))
    to_offset, to_zero = torch.stack(distances, 3)
    positive, negative = -(affinity + EPS).log(), -(1 + EPS - affinity).log()
    return positive, negative, to_offset, to_zero


def plain_losses(edge_logit, displacement, labels, radius, num_classes):
    maps = pair_maps(edge_logit, displacement, radius)
    positive, negative, to_offset, to_zero = maps
    masks = pair_labels(labels, radius, num_classes)
    bg, fg, neg = (mask.to(positive.dtype) for mask in masks)
    return dict(
        loss_affinity_bg=(bg * positive).sum() / (bg.sum() + EPS) / 4,
        loss_affinity_fg=(fg * positive).sum() / (fg.sum() + EPS) / 4,
        loss_affinity_neg=(neg * negative).sum() / (neg.sum() + EPS) / 2,
        loss_displacement_fg=(fg[:, None] * to_offset).sum() / (2 * fg.sum() + EPS) / 2,
        loss_displacement_bg=(bg[:, None] * to_zero).sum() / (2 * bg.sum() + EPS) / 2,
    )


def problem(batch=2, height=7, width=11, seed=0, dtype=torch.float64, levels=None):
    generator = torch.Generator().manual_seed(seed)
    edge = torch.randn(batch, 1, height, width, generator=generator, dtype=dtype)
    if levels is not None:
        edge = (edge * levels).round() / levels
    field = torch.randn(batch, 2, height, width, generator=generator, dtype=dtype)
    values = torch.tensor([0, 0, 1, 1, 2, 3, 255])
    chosen = torch.randint(0, 7, (batch, height, width), generator=generator)
    return edge, 3 * field, values[chosen]


def load(name):
    data = np.load(GOLDEN / f'losses_{name}.npz')
    edge, field = (
        torch.from_numpy(data[key]).clone().requires_grad_()
        for key in ('edge_logit', 'disp')
    )
    return data, edge, field, torch.from_numpy(data['seg']), int(data['radius'])


@pytest.mark.parametrize('name', FILES)
def test_golden(name):
    data, edge, field, labels, radius = load(name)
    losses = loss_function(edge, field, labels, radius, 20)
    for ours, theirs, share in NAMES:
        expected = share * float(data[theirs])
        assert losses[ours].item() == pytest.approx(expected, rel=1e-4)
    total = sum(losses.values())
    assert total.item() == pytest.approx(float(data['total_loss']), rel=1e-4)
    total.backward()
    for tensor, key in ((edge, 'grad_edge_logit'), (field, 'grad_disp')):
        np.testing.assert_allclose(tensor.grad, data[key], rtol=0, atol=1e-5)
    sums = inter_pixel_relation_sums(edge, field, labels, radius, 20)
    counts = [int(data[key]) for key in ('n_bg_pos', 'n_fg_pos', 'n_neg')]
    assert sums.counts.tolist() == counts


@pytest.mark.parametrize('name', ['a', 'c_no_fg', 'd_all_ignore'])
def test_golden_maps(name):
    """The arrays that the slow reference below is made of are the released ones."""
    data, edge, field, _, radius = load(name)
    keys = ('pos_aff_map', 'neg_aff_map', 'dp_fg_map', 'dp_bg_map')
    for given_map, key in zip(pair_maps(edge, field, radius), keys):
        np.testing.assert_allclose(given_map.detach(), data[key], rtol=0, atol=1e-5)


@pytest.mark.parametrize('name', ['a', 'b_r10_invalid_ids', 'c_all_ignore'])
def test_golden_pair_labels(name):
    data = np.load(GOLDEN / f'pair_label_{name}.npz')
    labels, radius = torch.from_numpy(data['seg'])[None], int(data['radius'])
    masks = pair_labels(labels, radius, 20)
    for key, mask in zip(('bg_pos', 'fg_pos', 'neg'), masks):
        assert np.array_equal(mask[0].numpy(), data[key])
    zeros = torch.zeros(1, 3, *labels.shape[1:])
    sums = inter_pixel_relation_sums(zeros[:, :1], zeros[:, 1:], labels, radius, 20)
    assert sums.counts.tolist() == [int(mask.sum()) for mask in masks]


def test_pair_labels_by_hand():
    labels = torch.tensor([[[0, 0, 3, 255], [0, 3, 3, 255], [7, 3, 21, 0]]])
    bg_pos, fg_pos, neg = (
        mask[0].int().tolist() for mask in pair_labels(labels, 2, 20)
    )
    assert bg_pos == [[0] * 4, [0] * 4, [1, 0, 0, 0], [0] * 4]
    assert fg_pos == [[0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1], [0] * 4]
    assert neg == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]]


@settings(max_examples=30, deadline=None)
@given(
    radius=st.integers(2, 5),
    extra=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    batch=st.integers(1, 3),
    num_classes=st.integers(1, 3),
    levels=st.sampled_from([None, 1]),
    seed=st.integers(0, 999),
)
def test_equals_the_formulas(radius, extra, batch, num_classes, levels, seed):
    size = radius + extra[0], 2 * radius - 1 + extra[1]
    edge, field, labels = problem(batch, *size, seed, levels=levels)
    inputs = edge.requires_grad_(), field.requires_grad_()
    losses = loss_function(*inputs, labels, radius, num_classes)
    expected = plain_losses(*inputs, labels, radius, num_classes)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name], rtol=1e-10, atol=1e-12)
        gradients = torch.autograd.grad(
            loss, inputs, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        slow = torch.autograd.grad(
            expected[name], inputs, retain_graph=True, materialize_grads=True
        )
        for gradient, other in zip(gradients, slow):
            torch.testing.assert_close(gradient, other, rtol=1e-9, atol=1e-12)


def test_wide_ranks_give_the_same(monkeypatch):
    edge, field, labels = problem(2, 12, 20, levels=1)
    edge.requires_grad_()
    expected = inter_pixel_relation_sums(edge, field, labels, 5, 3).affinity
    # The package's attribute of this name is the function.
    module = importlib.import_module('mmwsis.ops.path_affinity')
    monkeypatch.setattr(module, 'INT16_PIXELS', 100)
    affinity = inter_pixel_relation_sums(edge, field, labels, 5, 3).affinity
    assert torch.equal(affinity, expected)
    (gradient,) = torch.autograd.grad(affinity.sum(), edge)
    (other,) = torch.autograd.grad(expected.sum(), edge)
    assert torch.equal(gradient, other)


def test_many_classes_and_unsigned_labels():
    edge, field, _ = problem(1, 3, 4)
    labels = torch.tensor([[[0, 200, 200, 254], [255, 200, 0, 1], [1, 2, 3, 4]]])
    expected = [int(mask.sum()) for mask in pair_labels(labels, 2, 254)]
    for dtype in (torch.uint8, torch.int16, torch.int64):
        sums = inter_pixel_relation_sums(edge, field, labels.to(dtype), 2, 254)
        assert sums.counts.tolist() == expected
    fewer = inter_pixel_relation_sums(edge, field, labels, 2, 200)
    assert fewer.counts[2] < expected[2]


def test_gradcheck():
    edge, field, labels = problem(2, 3, 6)
    # All boundaries differ by more than gradcheck's step.
    edge = (torch.randperm(edge.numel()).double().view_as(edge) - 18) / 9
    assert torch.autograd.gradcheck(
        lambda *inputs: tuple(loss_function(*inputs, labels, 3, 3).values()),
        (edge.requires_grad_(), field.requires_grad_()),
    )


def test_single_pair_by_hand():
    """Two foreground pixels of one class, one step down and two to the right."""
    labels = torch.full((1, 3, 5), 255)
    labels[0, 0, 2] = labels[0, 1, 4] = 4
    field = torch.zeros(1, 2, 3, 5)
    field[0, :, 0, 2] = torch.tensor([1.0, 2.0])
    open_edge, closed = torch.full((2, 1, 1, 3, 5), -200.0)
    closed = closed + 400
    losses = loss_function(open_edge, field, labels, 3, 20)
    assert losses['loss_affinity_fg'].item() == pytest.approx(-1e-5 / 4, rel=0.02)
    assert losses['loss_displacement_fg'].item() == 0
    losses = loss_function(closed, field, labels, 3, 20)
    assert losses['loss_affinity_fg'].item() == pytest.approx(11.5129 / 4, rel=1e-4)
    labels[0, 1, 4] = 5
    losses = loss_function(open_edge, field, labels, 3, 20)
    assert losses['loss_affinity_neg'].item() == pytest.approx(11.5129 / 2, rel=1e-2)
    labels[labels < 255] = 0
    losses = loss_function(open_edge, field, labels, 3, 20)
    assert losses['loss_displacement_bg'].item() == pytest.approx(1.5 / 2, rel=1e-4)


def test_ids_beyond_the_classes_are_ignored():
    edge, field, labels = problem()
    fewer = loss_function(edge, field, labels, 3, 2)
    ignored = loss_function(edge, field, labels.masked_fill(labels == 3, 255), 3, 3)
    assert all(torch.equal(fewer[name], ignored[name]) for name in fewer)
    unsigned = loss_function(edge, field, labels.to(torch.uint8), 3, 2)
    assert all(torch.equal(fewer[name], unsigned[name]) for name in fewer)


@pytest.mark.parametrize('batch', [0, 2])
def test_no_pair_is_a_zero_with_a_graph(batch):
    edge, field, labels = problem(batch)
    inputs = edge.requires_grad_(), field.requires_grad_()
    losses = loss_function(*inputs, torch.full_like(labels, 255), 3, 20)
    assert all(loss.item() == 0 for loss in losses.values())
    sum(losses.values()).backward()
    assert all(tensor.grad.eq(0).all() for tensor in inputs)
    assert edge.grad.shape == edge.shape


def test_saturated_boundary_stays_finite():
    edge, field, labels = problem(dtype=torch.float32)
    edge = (edge.sign() * 1e4).requires_grad_()
    sum(loss_function(edge, field, labels, 3, 3).values()).backward()
    assert edge.grad.isfinite().all()


def test_full_precision():
    edge, field, labels = problem(dtype=torch.float32)
    expected = loss_function(edge, field, labels, 3, 3)
    with torch.autocast('cpu', torch.bfloat16):
        losses = loss_function(edge, field, labels, 3, 3)
    assert all(torch.equal(losses[name], expected[name]) for name in losses)
    half = edge.half().requires_grad_(), field.half().requires_grad_()
    losses = loss_function(*half, labels, 3, 3)
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    sum(losses.values()).backward()
    assert {tensor.grad.dtype for tensor in half} == {torch.float16}


def test_module_is_registered_weighted_and_checks_the_grid():
    config = dict(type='mmwsis.InterPixelRelationLoss', num_classes=3, radius=3)
    module = MODELS.build(dict(config, loss_weight=2.0, grid_size=(7, 11)))
    edge, field, labels = problem()
    losses = module(edge, field, labels)
    expected = loss_function(edge, field, labels, 3, 3)
    assert all(torch.equal(losses[name], 2 * expected[name]) for name in expected)
    with pytest.raises(ValueError, match='grid of 2x11 pixels has no source pixel'):
        MODELS.build(dict(config, grid_size=(2, 11)))
    with pytest.raises(ValueError, match='radius: expected an integer >= 2, got 1'):
        MODELS.build(dict(config, radius=1))


def test_wrong_shapes():
    edge, field, labels = problem()
    with pytest.raises(ValueError, match=r'edge_logit: expected shape \(B, 1, h, w\)'):
        loss_function(edge[:, 0], field, labels, 3)
    with pytest.raises(ValueError, match=r'displacement: expected shape \(2, 2, 7, 11'):
        loss_function(edge, field[:, :1], labels, 3)
    with pytest.raises(ValueError, match=r'labels: expected shape \(2, 7, 11\), got'):
        loss_function(edge, field, labels[:1], 3)
    with pytest.raises(ValueError, match='7x11 pixels has no source pixel for radius'):
        loss_function(edge, field, labels)


def test_ranks_share_the_normalisers(monkeypatch):
    """Averaged over ranks, losses and gradients are those of the whole batch."""
    module = importlib.import_module('mmwsis.models.losses.inter_pixel_relation_loss')
    edge, field, labels = problem(4)
    # Nearly all pairs of one class are on one rank.
    labels[:2] = labels[:2].masked_fill(labels[:2] > 0, 255)
    inputs = edge.requires_grad_(), field.requires_grad_()
    whole = loss_function(*inputs, labels, 3, 3)
    expected = torch.autograd.grad(sum(whole.values()), inputs)
    shares = slice(0, 2), slice(2, 4)
    counts = [
        inter_pixel_relation_sums(edge[s], field[s], labels[s], 3, 3).counts
        for s in shares
    ]
    monkeypatch.setattr(module, 'all_reduce', lambda given: given.copy_(sum(counts)))
    monkeypatch.setattr(module, 'get_world_size', lambda: 2)
    ranks = [loss_function(edge[s], field[s], labels[s], 3, 3) for s in shares]
    for name, loss in whole.items():
        torch.testing.assert_close((ranks[0][name] + ranks[1][name]) / 2, loss)
    total = sum(sum(losses.values()) for losses in ranks) / 2
    for gradient, other in zip(torch.autograd.grad(total, inputs), expected):
        torch.testing.assert_close(gradient, other)
