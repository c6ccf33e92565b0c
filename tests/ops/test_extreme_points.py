import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmwsis.ops.extreme_points import (
    extreme_points_from_mask,
    extreme_points_from_polygons,
)

GOLDEN = Path(__file__).parents[1] / 'golden/exits/extreme_121.npz'
RECTANGLE = [10, 10, 50, 10, 50, 40, 10, 40]


def golden_masks():
    data = np.load(GOLDEN)
    width = data['mask_shape'][1]
    return data, np.unpackbits(data['masks'], axis=-1)[..., :width]


@pytest.mark.parametrize('mode', ['band', 'rowmajor'])
def test_masks_reproduce_the_golden_points(mode):
    data, masks = golden_masks()
    points = [extreme_points_from_mask(mask, mode) for mask in masks]
    np.testing.assert_array_equal(points, data[f'extreme_mask_{mode}'])


def test_polygons_reproduce_the_golden_points():
    data = np.load(GOLDEN)
    offsets = data['poly_offsets']
    for k, (start, stop) in enumerate(zip(offsets, offsets[1:])):
        polygon = [data['poly_points'][start:stop]]
        exact = extreme_points_from_polygons(polygon, truncate=False)
        np.testing.assert_array_equal(exact, data['extreme_poly_float'][k])
        truncated = extreme_points_from_polygons(polygon)
        assert truncated.dtype == np.int32
        np.testing.assert_array_equal(truncated, data['extreme_poly'][k])


@pytest.mark.parametrize(
    ('polygon', 'expected'),
    [
        (RECTANGLE, [[30, 10], [10, 25], [10, 40], [50, 25]]),
        (
            RECTANGLE[6:] + RECTANGLE[:6],
            [[30, 10], [10, 25], [30, 40], [50, 40]],
        ),
        (
            [30, 5, 50, 10, 50, 40, 10, 40, 10, 12],
            [[30, 5], [10, 12], [30, 40], [50, 25]],
        ),
    ],
)
def test_a_side_across_the_list_start_is_cut_as_in_extremenet(polygon, expected):
    assert extreme_points_from_polygons([polygon]).tolist() == expected


@pytest.mark.parametrize('start', [0, 2, 4, 6])
def test_the_cyclic_walk_does_not_depend_on_the_start(start):
    polygon = RECTANGLE[start:] + RECTANGLE[:start]
    points = extreme_points_from_polygons([polygon], cyclic=True)
    assert points.tolist() == [[30, 10], [10, 25], [30, 40], [50, 25]]


def test_parts_are_joined_in_order():
    joined = extreme_points_from_polygons([RECTANGLE + [60, 20, 70, 20, 70, 30]])
    parts = extreme_points_from_polygons([RECTANGLE, [60, 20, 70, 20, 70, 30]])
    np.testing.assert_array_equal(parts, joined)


def test_two_blocks():
    mask = np.zeros((60, 70), dtype=bool)
    mask[20:40, 10:20] = mask[20:40, 40:60] = True
    band = [[14, 20], [10, 29], [14, 39], [59, 29]]
    assert extreme_points_from_mask(mask).tolist() == band
    rowmajor = [[34, 20], [10, 20], [59, 39], [59, 39]]
    assert extreme_points_from_mask(mask, 'rowmajor').tolist() == rowmajor


def slow_band_points(mask):
    """Section 3.2 read out loud, on lists of pixels."""
    pixels = [(int(x), int(y)) for y, x in zip(*np.nonzero(mask))]
    points = []
    for axis, choose in ((1, min), (0, min), (1, max), (0, max)):
        values = [p[axis] for p in pixels]
        extreme = choose(values)
        tolerance = 0.02 * (max(values) - min(values) + 1)
        band = np.zeros(mask.shape, dtype=bool)
        for p in pixels:
            if abs(p[axis] - extreme) <= tolerance:
                band[p[1], p[0]] = True
        labels, _ = ndimage.label(band, structure=np.ones((3, 3)))
        first = min(
            (p for p in pixels if p[axis] == extreme), key=lambda p: p[1 - axis]
        )
        same = [p for p in pixels if labels[p[1], p[0]] == labels[first[1], first[0]]]
        free = [p[1 - axis] for p in same if band[p[1], p[0]]]
        point = [0, 0]
        point[axis] = extreme
        point[1 - axis] = math.floor((min(free) + max(free)) / 2)
        points.append(point)
    return points


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 130), st.integers(1, 130))
def test_band_agrees_with_the_slow_rule(seed, height, width):
    rng = np.random.default_rng(seed)
    share = rng.choice([0.02, 0.3, 0.9])
    mask = rng.random((height, width)) < share
    mask[rng.integers(height), rng.integers(width)] = True
    assert extreme_points_from_mask(mask).tolist() == slow_band_points(mask)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(['band', 'rowmajor']))
def test_points_lie_on_the_sides_of_the_tight_box_of_any_crop(seed, mode):
    rng = np.random.default_rng(seed)
    mask = np.zeros((40, 50), dtype=bool)
    y, x = rng.integers(0, 30), rng.integers(0, 40)
    mask[y : y + 10, x : x + 10] = rng.random((10, 10)) < 0.4
    mask[y + 5, x + 5] = True
    points = extreme_points_from_mask(mask, mode)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert points[[0, 2], 1].tolist() == [rows[0], rows[-1]]
    assert points[[1, 3], 0].tolist() == [columns[0], columns[-1]]
    crop = mask[y : y + 10, x : x + 10]
    shifted = extreme_points_from_mask(crop, mode, offset=(x, y))
    np.testing.assert_array_equal(shifted, points)


@pytest.mark.parametrize('mode', ['band', 'rowmajor'])
def test_one_pixel(mode):
    mask = np.zeros((5, 7))
    mask[3, 6] = 1
    assert extreme_points_from_mask(mask, mode).tolist() == [[6, 3]] * 4


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match='empty'):
        extreme_points_from_mask(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r'\(H, W\), given \(1, 4, 4\)'):
        extreme_points_from_mask(np.ones((1, 4, 4)))
    with pytest.raises(ValueError, match="given 'middle'"):
        extreme_points_from_mask(np.ones((4, 4)), 'middle')
    with pytest.raises(ValueError, match='no corners'):
        extreme_points_from_polygons([])
    with pytest.raises(ValueError, match='odd number'):
        extreme_points_from_polygons([[1, 2, 3]])
    with pytest.raises(ValueError, match='finite'):
        extreme_points_from_polygons([[1, 2, float('nan'), 4]])
