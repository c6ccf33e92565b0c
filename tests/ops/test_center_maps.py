from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import cluster_centers, draw_centers, group_pixels

GOLDEN = Path(__file__).parents[1] / 'golden' / 'bestie'
SEEDS = st.integers(0, 9999)


def golden(name):
    with np.load(GOLDEN / f'{name}.npz') as data:
        return {key: torch.from_numpy(data[key]) for key in data}


def drawn_pixel_by_pixel(points, labels, num_classes, size, sigma, amplitudes):
    maps = np.zeros((num_classes, *size))
    for label, y, x in np.ndindex(maps.shape):
        for (px, py), own, high in zip(points, labels, amplitudes):
            inside = 0 <= px < size[1] and 0 <= py < size[0]
            near = max(abs(px - x), abs(py - y)) <= int(3 * sigma + 1)
            if own == label and inside and near:
                bell = np.exp(-((px - x) ** 2 + (py - y) ** 2) / (2 * sigma**2))
                maps[label, y, x] = max(maps[label, y, x], high * bell)
    return maps


@pytest.mark.parametrize('name', ['center_map_0', 'center_map_1'])
def test_golden_center_maps(name):
    data = golden(name)
    num_classes, *size = data['shape'].tolist()
    points = data['points_xyc']
    sigma = data['sigma'].item()
    maps = draw_centers(points[:, :2], points[:, 2], num_classes, size, sigma)
    torch.testing.assert_close(maps, data['center_map'], atol=1e-6, rtol=0)


def test_golden_stamp():
    data = golden('center_map_0')
    stamp = draw_centers(torch.tensor([[20, 25]]), torch.tensor([0]), 1, (50, 45))[0]
    assert stamp[25, 20] == 1
    expected = data['kernel2d'].float()
    torch.testing.assert_close(stamp[6:45, 1:40], expected, atol=1e-7, rtol=0)
    stamp[6:45, 1:40] = 0
    assert not stamp.any()


@settings(deadline=None, max_examples=100)
@given(
    size=st.tuples(st.integers(0, 6), st.integers(0, 8)),
    num=st.integers(0, 5),
    sigma=st.sampled_from([0.4, 1.0, 1.5, 6]),
    with_amplitudes=st.booleans(),
    seed=SEEDS,
)
def test_centers_are_drawn_as_pixel_by_pixel(size, num, sigma, with_amplitudes, seed):
    rng = np.random.default_rng(seed)
    points = rng.integers(-2, 10, (num, 2))
    labels = rng.integers(0, 3, num)
    amplitudes = rng.uniform(-0.5, 2, num) if with_amplitudes else np.ones(num)
    maps = draw_centers(
        torch.from_numpy(points),
        torch.from_numpy(labels),
        3,
        size,
        sigma,
        torch.from_numpy(amplitudes) if with_amplitudes else None,
    )
    expected = drawn_pixel_by_pixel(points, labels, 3, size, sigma, amplitudes)
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_centers_of_no_class_are_refused():
    points = torch.tensor([[1, 1]])
    for label in (-1, 2):
        with pytest.raises(ValueError, match=r'labels: expected integers in \[0, 1\]'):
            draw_centers(points, torch.tensor([label]), 2, (4, 4))
    with pytest.raises(TypeError, match='points: expected integers'):
        draw_centers(points / 2, torch.tensor([0]), 2, (4, 4))


@pytest.mark.parametrize('name', ['group_0', 'group_tie_1'])
def test_golden_groups(name):
    data = golden(name)
    ids = group_pixels(data['offset'], data['centers_yx'].flip(1))
    assert torch.equal(ids, data['ids'].long())


@settings(deadline=None, max_examples=100)
@given(
    size=st.tuples(st.integers(0, 5), st.integers(0, 6)),
    num=st.integers(0, 4),
    masked=st.booleans(),
    seed=SEEDS,
)
def test_pixels_go_to_the_first_nearest_center(size, num, masked, seed):
    rng = np.random.default_rng(seed)
    offsets = rng.integers(-8, 8, (2, *size)) / 2
    centers = rng.integers(-1, 6, (num, 2))
    mask = rng.random(size) < 0.7 if masked else np.ones(size, dtype=bool)
    expected = np.zeros(size, dtype=int)
    for y, x in np.argwhere(mask):
        dy, dx = offsets[:, y, x]
        away = [(x + dx - cx) ** 2 + (y + dy - cy) ** 2 for cx, cy in centers]
        expected[y, x] = away.index(min(away)) + 1 if away else 0
    ids = group_pixels(
        torch.from_numpy(offsets),
        torch.from_numpy(centers),
        torch.from_numpy(mask) if masked else None,
    )
    np.testing.assert_array_equal(ids, expected)


def test_many_centers_are_compared_in_chunks(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    offsets = torch.randn(2, 9, 11, generator=generator) * 4
    centers = torch.randint(9, (20, 2), generator=generator)
    expected = group_pixels(offsets, centers)
    monkeypatch.setattr('mmwsis.ops.center_maps.CHUNK', 50)
    assert torch.equal(group_pixels(offsets, centers), expected)


@pytest.mark.parametrize('name', ['cluster_0', 'cluster_1', 'cluster_empty_2'])
@pytest.mark.parametrize('beta', [3, 5])
def test_golden_clusters(name, beta):
    data = golden(name)
    points = cluster_centers(
        data['offset'], data['fg'], data['thresh'].item(), tolerance=beta
    )
    expected = data[f'peaks_yx_beta{beta}'].flip(1)
    assert sorted(points.tolist()) == sorted(expected.tolist())


def clustered(y, x, mask=None, **settings):
    """Offsets of a 20 x 20 map to one place."""
    rows, columns = torch.meshgrid(*[torch.arange(20.0)] * 2, indexing='ij')
    offsets = torch.stack([y - rows, x - columns])
    return cluster_centers(offsets, mask, **settings).tolist()


def test_only_regions_as_large_as_a_disc_are_centers():
    assert clustered(10, 10) == [[10, 10]]  # 21 pixels
    assert clustered(10, 12, tolerance=0) == []
    assert clustered(10.5, 10.5) == []  # 16 pixels
    assert clustered(10.5, 10.5, tolerance=5.5) == [[10, 10]]
    near_border = torch.ones(20, 20, dtype=torch.bool)
    near_border[:, :9] = False
    assert clustered(10, 10, near_border) == []  # 18 pixels
    assert clustered(10, 10, near_border, tolerance=4) == [[10, 10]]


@pytest.mark.parametrize('radius', [0, 0.5, 1, 1.4, 2, 2.5, 3, 5.2])
def test_area_of_a_disc(radius):
    from mmwsis.ops.center_maps import _disc_area

    steps = np.arange(-9, 10)
    assert _disc_area(radius) == (np.hypot(*np.meshgrid(steps, steps)) < radius).sum()


def test_diverged_networks_are_refused():
    offsets = torch.full((2, 3, 4), torch.nan)
    for call in (cluster_centers, lambda one: group_pixels(one, torch.zeros(1, 2))):
        with pytest.raises(ValueError, match='offsets: .* The network has diverged'):
            call(offsets)
