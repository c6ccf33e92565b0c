import itertools
import math
from collections import defaultdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import PermutohedralLattice
from mmwsis.ops.exact_gaussian import ExactGaussian

DEVICES = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]


def corners_of(feature):
    """One point's simplex by the definition: [(key of d + 1 coordinates, weight)]."""
    d = len(feature)
    scaled = [
        value * math.sqrt(2 / 3) * (d + 1) / math.sqrt((i + 1) * (i + 2))
        for i, value in enumerate(feature)
    ]
    elevated = [sum(scaled)]
    elevated += [sum(scaled[j:]) - j * scaled[j - 1] for j in range(1, d + 1)]
    base = [(d + 1) * round(e / (d + 1)) for e in elevated]
    excess = sum(base) // (d + 1)
    by_gap = sorted(range(d + 1), key=lambda i: (base[i] - elevated[i], i))
    rank = {i: place + excess for place, i in enumerate(by_gap)}
    for i in range(d + 1):
        step = (rank[i] < 0) - (rank[i] > d)
        rank[i] += step * (d + 1)
        base[i] += step * (d + 1)
    weights = [0.0] * (d + 2)
    for i in range(d + 1):
        share = (elevated[i] - base[i]) / (d + 1)
        weights[d - rank[i]] += share
        weights[d - rank[i] + 1] -= share
    weights[0] += 1 + weights.pop()
    corners = []
    for k, weight in enumerate(weights):
        shifts = (k if rank[i] <= d - k else k - d - 1 for i in range(d + 1))
        corners.append((tuple(b + shift for b, shift in zip(base, shifts)), weight))
    return corners


def lattice_reference(features, values):
    """Splat, blur and slice point by point and vertex by vertex, with dictionaries."""
    d, channels = features.shape[1], values.shape[1]
    simplices = [corners_of(feature) for feature in features.tolist()]
    state = defaultdict(lambda: torch.zeros(channels, dtype=torch.float64))
    for simplex, value in zip(simplices, values):
        for key, weight in simplex:
            state[key] = state[key] + weight * value
    zero = torch.zeros(channels, dtype=torch.float64)
    for axis in range(d + 1):
        step = [-1] * (d + 1)
        step[axis] = d
        blurred = {}
        for key, value in state.items():
            one = tuple(k + s for k, s in zip(key, step))
            other = tuple(k - s for k, s in zip(key, step))
            around = state.get(one, zero) + state.get(other, zero)
            blurred[key] = value + around / 2
        state = blurred
    rows = [sum(weight * state[key] for key, weight in s) for s in simplices]
    return torch.stack(rows) / (1 + 2.0**-d), len(state)


def points(count, dims, spread, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, dims, generator=generator, dtype=torch.float64)
    values = torch.rand(count, 3, generator=generator, dtype=torch.float64)
    return features * spread, values


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 30),
    dims=st.integers(1, 6),
    spread=st.sampled_from([0.01, 0.7, 3, 100]),
    seed=st.integers(0, 99),
)
def test_equals_the_definition(count, dims, spread, seed):
    features, values = points(count, dims, spread, seed)
    wanted, vertices = lattice_reference(features, values)
    lattice = PermutohedralLattice(features)
    assert lattice.num_vertices == vertices
    torch.testing.assert_close(lattice.filter(values), wanted, rtol=1e-9, atol=1e-9)


def test_keys_wider_than_32_bits():
    features, values = points(40, 5, 1)
    features[::4] += 500
    wanted, _ = lattice_reference(features, values)
    filtered = PermutohedralLattice(features).filter(values)
    torch.testing.assert_close(filtered, wanted, rtol=0, atol=1e-9)


def test_is_near_the_gaussian_on_a_dense_grid():
    axis = torch.arange(40, dtype=torch.float64) / 4
    features = torch.cartesian_prod(axis, axis)
    values = torch.rand(len(features), 2, dtype=torch.float64)
    exact = ExactGaussian(features.unsqueeze(0), torch.float64)
    ones = torch.ones_like(values)
    lattice = PermutohedralLattice(features)
    # Up to a constant, which normalisation removes.
    wanted = exact(values) / exact(ones)
    filtered = lattice.filter(values) / lattice.filter(ones)
    torch.testing.assert_close(filtered, wanted, rtol=0, atol=0.02)


@pytest.mark.parametrize('scales', itertools.product([False, True], repeat=2))
@pytest.mark.parametrize('build', ['lattice', 'exact'])
def test_adjoint(build, scales):
    features, values = points(50, 3, 1.5)
    other = values.roll(7, 0).square()
    if build == 'lattice':
        linear = PermutohedralLattice(features)
    else:
        linear = ExactGaussian(features.unsqueeze(0), torch.float64)
    before, after = (
        values[:, column].contiguous() + 0.1 if use else None
        for column, use in enumerate(scales)
    )
    scaled = linear.scaled(before, after)
    by_hand = values if before is None else values * before[:, None]
    by_hand = linear(by_hand)
    by_hand = by_hand if after is None else by_hand * after[:, None]
    torch.testing.assert_close(scaled(values), by_hand)
    there = (scaled(values) * other).sum()
    back = (scaled.adjoint()(other) * values).sum()
    torch.testing.assert_close(there, back)
    torch.testing.assert_close(scaled.adjoint().adjoint()(values), scaled(values))


def test_scaling_twice_multiplies():
    features, values = points(20, 2, 1)
    one, two = values[:, 0].contiguous(), values[:, 1].contiguous()
    linear = PermutohedralLattice(features)
    twice = linear.scaled(one, None).scaled(two, one)
    torch.testing.assert_close(twice(values), linear.scaled(one * two, one)(values))


def test_gradients_of_two_orders():
    features, values = points(12, 3, 1)
    lattice = PermutohedralLattice(features).scaled(None, values[:, 0].contiguous())
    values = values.requires_grad_()
    assert torch.autograd.gradcheck(lattice.filter, values)
    assert torch.autograd.gradgradcheck(lambda v: lattice.filter(v).square(), values)


def test_batch_equals_images():
    features, values = points(60, 4, 2)
    features, values = features.view(3, 20, 4), values.view(3, 20, 3)
    together = PermutohedralLattice(features)
    filtered = together.filter(values)
    alone = [PermutohedralLattice(image) for image in features]
    for lattice, image, result in zip(alone, values, filtered):
        torch.testing.assert_close(lattice.filter(image), result)
    assert together.num_vertices == sum(lattice.num_vertices for lattice in alone)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_many_points(device, dtype):
    features, values = points(3000, 5, 2)
    wanted, _ = lattice_reference(features[:300], values[:300])
    # The rest is too far away to touch a vertex of the first.
    features = torch.cat([features[:300], features[300:] + 40]).to(device)
    values = values.to(device)
    lattice = PermutohedralLattice(features, dtype)
    filtered = lattice.filter(values)
    assert filtered.dtype == dtype
    torch.testing.assert_close(filtered[:300].cpu().double(), wanted, rtol=0, atol=1e-5)
    assert torch.equal(filtered, lattice.filter(values))


def test_types():
    features, values = points(10, 2, 1)
    assert PermutohedralLattice(features).filter(values.float()).dtype == torch.float64
    single = PermutohedralLattice(features, torch.float32)
    assert single.filter(values).dtype == torch.float32
    assert PermutohedralLattice(features.half()).filter(values).dtype == torch.float32


def test_no_points():
    lattice = PermutohedralLattice(torch.zeros(0, 3))
    assert lattice.num_vertices == 0
    assert lattice.filter(torch.zeros(0, 2)).shape == (0, 2)


def test_errors():
    with pytest.raises(ValueError, match=r'\(N, d\) or \(B, N, d\).*got \(4,\)'):
        PermutohedralLattice(torch.zeros(4))
    with pytest.raises(ValueError, match='finite'):
        PermutohedralLattice(torch.tensor([[0.0], [math.nan]]))
    with pytest.raises(ValueError, match='63 bits'):
        PermutohedralLattice(torch.eye(5) * 1e6)
    with pytest.raises(ValueError, match=r'expected shape \(4, C\), got \(3, 2\)'):
        PermutohedralLattice(torch.zeros(4, 2)).filter(torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r'at most 65536 per image, got 65537'):
        ExactGaussian(torch.zeros(1, 2**16 + 1, 2))


def test_exact_filter_in_chunks(monkeypatch):
    features, values = points(30, 3, 1)
    features, values = features.view(2, 15, 3), values.contiguous()
    whole = ExactGaussian(features, torch.float64)(values)
    distance = (features[:, :, None] - features[:, None]).square().sum(-1)
    wanted = torch.exp(-distance / 2) @ values.view(2, 15, 3)
    torch.testing.assert_close(whole, wanted.view(30, 3))
    monkeypatch.setattr('mmwsis.ops.exact_gaussian.CHUNK_NUMBERS', 40)
    chunked = ExactGaussian(features, torch.float64)
    torch.testing.assert_close(chunked(values), whole)
