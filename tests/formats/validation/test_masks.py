"""Measures of many polygons at once."""

import numpy as np
import pytest

from mmwsis.formats.validation.masks import measure_polygons


def test_measures():
    square = [0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0]
    triangle = [20, 5, 26, 5, 20, 13]
    found = measure_polygons([[square], [square, triangle], [triangle]])
    assert found.total.tolist() == [100, 124, 24]
    assert found.largest.tolist() == [100, 100, 24]
    assert found.perimeter.tolist() == [40, 64, 24]
    assert found.low.tolist() == [[0, 0], [0, 0], [20, 5]]
    assert found.high.tolist() == [[10, 10], [26, 13], [26, 13]]


@pytest.mark.parametrize(
    'polygon',
    [
        [3, 4, 3, 4, 3, 4],  # one point
        [0, 0, 3, 4, 0, 0],  # a line, closed already
        [0, 0, 3, 4, 6, 8],
    ],
)
def test_polygons_without_area(polygon):
    found = measure_polygons([[polygon], [[0, 0, 4, 0, 4, 4]]])
    assert found.total.tolist() == [0, 8]


def test_far_corners_are_no_error():
    found = measure_polygons([[[1e308, 1, 2, 3, 4, -1e308]]])
    assert found.high.tolist() == [[1e308, 3]]
    assert np.isinf(found.total).all()


@pytest.mark.parametrize('change', [0, 1])
def test_checksums_tell_polygons_apart(change):
    first = [0.0, 0.0, 10.0, 0.0, 10.0, 10.0]
    second = list(first)
    second[4] += 1e-3 * change
    found = measure_polygons([[first], [second]])
    assert (found.checksum[0] == found.checksum[1]) == (change == 0)
