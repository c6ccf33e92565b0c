import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import (
    pair_labels,
    path_affinity,
    pixel_directions,
    pixel_paths,
    source_window,
)

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'


def gather_reference(edge, radius):
    """One gather of all points of all paths, as autograd differentiates it."""
    rows, cols, *_ = source_window(radius, *edge.shape[-2:])
    width = edge.shape[-1]
    flat = torch.arange(edge[0, 0].numel()).view(edge.shape[-2:])[rows, cols].flatten()
    maxima = []
    for path in pixel_paths(radius):
        points = [flat + y * width + x for y, x in path]
        values = edge.flatten(1)[:, torch.stack(points)]
        # The first maximum of the path, in its order.
        first = (values == values.amax(1, keepdim=True)).to(torch.uint8).argmax(1)
        maxima.append(values.gather(1, first[:, None])[:, 0])
    return 1 - torch.stack(maxima, 1)


def edges(batch, height, width, seed=0, levels=None, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    edge = torch.rand(batch, 1, height, width, generator=generator, dtype=dtype)
    return edge if levels is None else (edge * levels).round() / levels


@pytest.mark.parametrize('name', ['a', 'b'])
@pytest.mark.parametrize('trained', [False, True])
def test_golden(name, trained):
    data = np.load(GOLDEN / f'edge_to_affinity_{name}.npz')
    edge = torch.from_numpy(data['edge']).requires_grad_(trained)
    affinity = path_affinity(edge, int(data['radius']))
    np.testing.assert_allclose(affinity.detach(), data['affinity'], atol=1e-6)


@pytest.mark.parametrize('name', ['a', 'b_r10_invalid_ids', 'c_all_ignore'])
def test_golden_pair_labels(name):
    data = np.load(GOLDEN / f'pair_label_{name}.npz')
    labels = pair_labels(torch.from_numpy(data['seg'])[None], int(data['radius']), 20)
    for key, mask in labels._asdict().items():
        assert np.array_equal(mask[0].numpy(), data[key])


def test_affinity_by_hand():
    edge = torch.arange(12.0).view(1, 1, 3, 4) / 20
    expected = torch.tensor(
        [
            [0.9, 0.85, 0.7, 0.65],
            [0.75, 0.7, 0.55, 0.5],
            [0.75, 0.7, 0.55, 0.5],
            [0.7, 0.65, 0.5, 0.45],
        ]
    )
    torch.testing.assert_close(path_affinity(edge, 2)[0], expected)


def test_pair_labels_by_hand():
    labels = torch.tensor([[[0, 0, 3, 255], [0, 3, 3, 255], [7, 3, 21, 0]]])
    bg_pos, fg_pos, neg = (
        mask[0].int().tolist() for mask in pair_labels(labels, 2, 20)
    )
    assert bg_pos == [[0] * 4, [0] * 4, [1, 0, 0, 0], [0] * 4]
    assert fg_pos == [[0, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1], [0] * 4]
    assert neg == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]]


@settings(max_examples=40, deadline=None)
@given(
    radius=st.integers(2, 6),
    extra=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    batch=st.integers(1, 3),
    levels=st.sampled_from([None, 1, 2, 5]),
    seed=st.integers(0, 999),
)
def test_equals_gather_and_gives_the_gradient_to_the_first_maximum(
    radius, extra, batch, levels, seed
):
    size = radius + extra[0], 2 * radius - 1 + extra[1]
    edge = edges(batch, *size, seed, levels).requires_grad_()
    affinity = path_affinity(edge, radius)
    expected = gather_reference(edge, radius)
    assert torch.equal(affinity, expected)
    assert torch.equal(path_affinity(edge.detach(), radius), expected)
    weight = torch.randn(affinity.shape, dtype=edge.dtype)
    (gradient,) = torch.autograd.grad((affinity * weight).sum(), edge)
    (expected_gradient,) = torch.autograd.grad((expected * weight).sum(), edge)
    torch.testing.assert_close(gradient, expected_gradient)


def test_wide_ranks_give_the_same(monkeypatch):
    edge = edges(2, 12, 20, levels=7).requires_grad_()
    expected = path_affinity(edge, 5)
    # The package's attribute of this name is the function.
    module = importlib.import_module('mmwsis.ops.path_affinity')
    monkeypatch.setattr(module, 'INT16_PIXELS', 100)
    affinity = path_affinity(edge, 5)
    assert torch.equal(affinity, expected)
    (gradient,) = torch.autograd.grad(affinity.square().sum(), edge)
    (other,) = torch.autograd.grad(expected.square().sum(), edge)
    assert torch.equal(gradient, other)


def test_gradcheck():
    # All values differ by more than gradcheck's step.
    edge = torch.randperm(2 * 5 * 7).double().view(2, 1, 5, 7) / 70
    assert torch.autograd.gradcheck(
        lambda edge: path_affinity(edge, 3), (edge.requires_grad_(),)
    )


@settings(max_examples=30, deadline=None)
@given(
    radius=st.integers(2, 5),
    extra=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    seed=st.integers(0, 999),
)
def test_pair_labels_equal_loops(radius, extra, seed):
    height, width = radius + extra[0], 2 * radius - 1 + extra[1]
    values = torch.tensor([0, 1, 2, 3, 4, 255, -1])
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(0, 7, (1, height, width), generator=generator)
    labels = values[chosen]
    masks = pair_labels(labels, radius, 3)
    rows, cols, *_ = source_window(radius, height, width)
    for d, (dy, dx) in enumerate(pixel_directions(radius)):
        index = 0
        for y in range(rows.start, rows.stop):
            for x in range(cols.start, cols.stop):
                here, there = labels[0, y, x].item(), labels[0, y + dy, x + dx].item()
                valid = 0 <= here <= 3 and 0 <= there <= 3
                assert masks.bg_pos[0, d, index] == (valid and here == there == 0)
                assert masks.fg_pos[0, d, index] == (valid and here == there > 0)
                assert masks.neg[0, d, index] == (valid and here != there)
                index += 1


def test_unsigned_labels_and_many_classes():
    labels = torch.tensor([[[0, 200, 200, 254], [255, 200, 0, 1], [1, 2, 3, 4]]])
    for dtype in (torch.uint8, torch.int16, torch.int64):
        masks = pair_labels(labels.to(dtype), 2, 254)
        expected = pair_labels(labels, 2, 254)
        assert all(map(torch.equal, masks, expected))
    assert pair_labels(labels, 2, 200).neg.sum() < expected.neg.sum()


def test_autocast_and_half_precision():
    edge = edges(1, 8, 12, dtype=torch.float32)
    expected = path_affinity(edge, 3)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(path_affinity(edge, 3), expected)
    half = edge.half().requires_grad_()
    affinity = path_affinity(half, 3)
    assert affinity.dtype == torch.float32
    affinity.sum().backward()
    assert half.grad.dtype == torch.float16


def test_empty_batch():
    edge = torch.zeros(0, 1, 12, 20, requires_grad=True)
    affinity = path_affinity(edge, 5)
    assert affinity.shape == (0, 34, 96)
    affinity.sum().backward()
    assert edge.grad.shape == edge.shape
    assert pair_labels(torch.zeros(0, 12, 20), 5, 3).neg.shape == (0, 34, 96)


def test_smallest_grid():
    edge = edges(1, 10, 19).requires_grad_()
    affinity = path_affinity(edge, 10)
    assert affinity.shape == (1, 152, 1)
    assert torch.equal(affinity, gather_reference(edge, 10))


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r'edge: expected shape \(B, 1, h, w\), got'):
        path_affinity(torch.zeros(2, 12, 20), 5)
    with pytest.raises(ValueError, match='4x20 pixels has no source pixel'):
        path_affinity(torch.zeros(1, 1, 4, 20), 5)
    with pytest.raises(ValueError, match=r'labels: expected shape \(B, h, w\), got'):
        pair_labels(torch.zeros(12, 20), 5, 20)
