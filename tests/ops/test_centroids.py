from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmwsis.ops import centroid_instance_map, refine_centroids
from mmwsis.ops.centroids import _Field

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'
FILES = sorted(path.stem for path in GOLDEN.glob('centroids_*.npz'))


def full_reference(displacement, num_updates):
    """Every update of every pixel, one bilinear reading after the other."""
    field = displacement.numpy().astype(np.float64)
    _, height, width = field.shape
    rows, cols = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(num_updates):
        y, x = rows.astype(np.float64), cols.astype(np.float64)
        y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
        y1, x1 = np.minimum(y0 + 1, height - 1), np.minimum(x0 + 1, width - 1)
        fy, fx = y - y0, x - x0
        step = (
            field[:, y0, x0] * (1 - fy) * (1 - fx)
            + field[:, y0, x1] * (1 - fy) * fx
            + field[:, y1, x0] * fy * (1 - fx)
            + field[:, y1, x1] * fy * fx
        )
        rows = np.clip((y + step[0]).astype(np.float32), 0, height - 1)
        cols = np.clip((x + step[1]).astype(np.float32), 0, width - 1)
    return np.stack([np.rint(rows), np.rint(cols)]).astype(np.int64)


def attracting_field(height, width, seed, gain=0.3, noise=0.3, instances=5):
    """Points to the nearest of a few centres, with smooth noise."""
    generator = np.random.default_rng(seed)
    centres = generator.uniform(0, [height, width], (instances, 2))
    grid = np.moveaxis(np.mgrid[:height, :width], 0, -1)[:, :, None]
    nearest = np.square(grid - centres).sum(-1).argmin(-1)
    field = gain * np.moveaxis(centres[nearest] - grid[:, :, 0], -1, 0)
    wobble = generator.normal(size=(2, height, width))
    field += noise * ndimage.gaussian_filter(wobble, (0, 1.5, 1.5)) * 5
    return torch.from_numpy(field.astype(np.float32))


def test_all_golden_files_are_here():
    assert len(FILES) == 6


@pytest.mark.parametrize('name', FILES)
def test_golden(name):
    data = np.load(GOLDEN / f'{name}.npz')
    displacement = torch.from_numpy(data['displacement'])
    for updates in (1, 2, 10, 100, 300):
        centroids = refine_centroids(displacement, updates)
        assert np.array_equal(centroids.numpy(), data[f'centroids_it{updates}'])
    instances = centroid_instance_map(displacement, 300, float(data['thres']))
    assert instances.count == data['num_instances']
    assert np.array_equal(instances.ids.numpy(), data['instance_map'])


def test_row_of_two_instances_by_hand():
    x = torch.arange(11)
    dx = torch.where(x <= 5, 2 - x, 8 - x)
    displacement = torch.stack([torch.zeros(11), dx.float()])[:, None]
    rows, cols = refine_centroids(displacement)
    assert not rows.any()
    assert cols[0].tolist() == [2] * 6 + [8] * 5
    instances = centroid_instance_map(displacement)
    assert instances.ids[0].tolist() == [0] * 6 + [1] * 5
    assert instances.count == 2


def test_clipped_row_by_hand():
    dx = torch.tensor([0.0, -3, 3, -3, 0, 0])
    displacement = torch.stack([torch.zeros(6), dx])[:, None]
    assert refine_centroids(displacement)[1, 0].tolist() == [0, 0, 5, 0, 4, 5]
    assert centroid_instance_map(displacement).ids[0].tolist() == [0, 0, 1, 0, 1, 1]


def test_constant_displacement_by_hand():
    displacement = torch.full((2, 2, 3), 3.0)
    rows, cols = refine_centroids(displacement)
    assert (rows == 1).all()
    assert (cols == 2).all()
    instances = centroid_instance_map(displacement)
    assert instances.count == 1
    assert not instances.ids.any()


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    gain=st.sampled_from([0.05, 0.3, 0.8, 1.0, 1.7]),
    noise=st.sampled_from([0.0, 0.2, 1.0]),
    num_updates=st.sampled_from([0, 1, 2, 7, 8, 9, 31, 64, 300]),
    seed=st.integers(0, 999),
)
def test_equals_all_updates(size, gain, noise, num_updates, seed):
    displacement = attracting_field(*size, seed, gain, noise)
    centroids = refine_centroids(displacement, num_updates)
    expected = full_reference(displacement, num_updates)
    assert np.array_equal(centroids.numpy(), expected)


def test_map_of_a_photograph():
    displacement = attracting_field(94, 125, 3)
    expected = full_reference(displacement, 300)
    assert np.array_equal(refine_centroids(displacement).numpy(), expected)


def test_stops_early_and_computes_equal_positions_once(monkeypatch):
    displacement = attracting_field(40, 50, 0, gain=0.15, noise=0.0)
    sizes, move = [], _Field.move
    monkeypatch.setattr(
        _Field, 'move', lambda *args: sizes.append(args[1].shape[1]) or move(*args)
    )
    centroids = refine_centroids(displacement)
    assert sizes[0] == 2000
    assert sizes[-1] < 200
    assert len(sizes) < 300
    assert np.array_equal(centroids.numpy(), full_reference(displacement, 300))


def test_pixels_without_a_weak_region_are_one_instance():
    displacement = torch.zeros(2, 3, 9)
    displacement[0] = 5
    displacement[0, :, :2] = 0
    instances = centroid_instance_map(displacement)
    # Down to the last row, where the displacement is as strong.
    assert instances.ids[0].tolist() == [1, 1] + [0] * 7
    assert instances.count == 2


def test_threshold_is_strict():
    displacement = torch.zeros(2, 1, 4)
    displacement[0, 0, :2] = 2.5
    assert centroid_instance_map(displacement).ids[0].tolist() == [0, 0, 1, 1]
    weaker = centroid_instance_map(displacement, weak_threshold=2.6)
    assert weaker.ids[0].tolist() == [0] * 4


def test_half_precision_input_and_autocast():
    displacement = attracting_field(12, 15, 0).half()
    expected = refine_centroids(displacement.float())
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(refine_centroids(displacement), expected)


def test_empty_map():
    assert refine_centroids(torch.zeros(2, 0, 4)).shape == (2, 0, 4)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r'displacement: expected shape \(2, h, w\)'):
        refine_centroids(torch.zeros(1, 3, 4))
    with pytest.raises(ValueError, match='num_updates: .* integer >= 0, got -1'):
        refine_centroids(torch.zeros(2, 3, 4), -1)
    with pytest.raises(ValueError, match='num_updates: .* integer >= 0, got 1.5'):
        refine_centroids(torch.zeros(2, 3, 4), 1.5)
    broken = torch.zeros(2, 3, 4)
    broken[0, 1, 1] = float('nan')
    with pytest.raises(ValueError, match='displacement: expected finite numbers'):
        refine_centroids(broken)
