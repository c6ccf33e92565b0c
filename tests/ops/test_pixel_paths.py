from pathlib import Path

import numpy as np
import pytest

from mmwsis.ops import pixel_directions, pixel_paths, source_window
from mmwsis.ops.pixel_paths import directions_by_side, path_runs, run_pixels

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'


@pytest.mark.parametrize('name', ['r2_s3x4', 'r5_s14x16', 'r10_s24x30'])
def test_golden(name):
    data = np.load(GOLDEN / f'path_index_{name}.npz')
    radius, (height, width) = int(data['radius']), data['size'].tolist()
    assert pixel_directions(radius) == tuple(map(tuple, data['search_dst'].tolist()))
    coordinates = zip(data['path_coords'].tolist(), data['path_len'])
    expected = tuple(tuple(map(tuple, path[:length])) for path, length in coordinates)
    assert pixel_paths(radius) == expected
    lengths, counts = np.unique(data['path_len'], return_counts=True)
    assert np.array_equal(lengths, data['group_lens'])
    assert np.array_equal(counts, data['group_counts'])

    window = source_window(radius, height, width)
    flat = np.arange(height * width).reshape(height, width)
    sources = flat[window.rows, window.cols].ravel()
    assert np.array_equal(sources, data['src_indices'])
    steps = [dy * width + dx for dy, dx in pixel_directions(radius)]
    assert np.array_equal(sources + np.array(steps)[:, None], data['dst_indices'])
    assert (window.height, window.width) == flat[window.rows, window.cols].shape
    assert radius - 1 == data['radius_floor']


@pytest.mark.parametrize(
    ('radius', 'count'), [(2, 4), (3, 12), (5, 34), (7, 72), (10, 152)]
)
def test_number_of_directions(radius, count):
    directions = pixel_directions(radius)
    assert len(directions) == len(set(directions)) == count
    opposite = {(-dy, -dx) for dy, dx in directions}
    assert not opposite & set(directions)
    near = {
        (y, x)
        for y in range(-radius, radius + 1)
        for x in range(-radius, radius + 1)
        if 0 < y * y + x * x < radius * radius
    }
    assert opposite | set(directions) == near


def test_order_by_hand():
    assert pixel_directions(2) == ((0, 1), (1, 0), (1, -1), (1, 1))
    assert [len(path) for path in pixel_paths(2)] == [2, 2, 4, 4]
    paths = dict(zip(pixel_directions(5), pixel_paths(5)))
    assert paths[1, 2] == ((1, 2), (0, 2), (1, 1), (0, 1), (1, 0), (0, 0))
    assert paths[2, -1] == ((2, -1), (1, -1), (2, 0), (0, -1), (1, 0), (0, 0))


@pytest.mark.parametrize('radius', [2, 3, 4, 6, 10])
def test_runs_cover_exactly_the_path(radius):
    for path, runs in zip(pixel_paths(radius), path_runs(radius)):
        assert set().union(*map(run_pixels, runs)) == set(path)
        assert len(runs) <= len(path)
    single_pixels = sum(map(len, pixel_paths(10)))
    assert sum(map(len, path_runs(10))) < 0.42 * single_pixels


def test_sides():
    right, left = directions_by_side(10)
    directions = pixel_directions(10)
    assert sorted(right + left) == list(range(152))
    assert all(directions[index][1] >= 0 for index in right)
    assert all(directions[index][1] < 0 for index in left)


@pytest.mark.parametrize('radius', [1, 0, -3, 2.5, True])
def test_wrong_radius(radius):
    with pytest.raises(ValueError, match='radius: expected an integer >= 2, got'):
        pixel_directions(radius)


@pytest.mark.parametrize('size', [(9, 40), (40, 18)])
def test_grid_without_sources(size):
    with pytest.raises(ValueError, match=f'{size[0]}x{size[1]} .*at least 10x19'):
        source_window(10, *size)
    assert source_window(10, 10, 19)[2:] == (1, 1)
