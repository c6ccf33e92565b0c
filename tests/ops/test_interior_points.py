from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmwsis.ops.interior_points import interior_point

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise' / 'distance_points_a.npz'


def test_distance_is_the_middle_of_the_widest_place():
    mask = np.zeros((30, 40), dtype=bool)
    mask[3:18, 5:20] = True  # 15 x 15, its middle is (12, 10)
    mask[9:12, 20:38] = True  # a thin arm
    assert interior_point(mask) == (12, 10)


def test_distance_agrees_with_brute_force():
    rng = np.random.default_rng(3)
    mask = rng.random((17, 19)) < 0.85
    padded = np.pad(mask, 1)
    outside = np.argwhere(~padded)
    x, y = interior_point(mask)

    def clearance(column, row):
        return ((outside - (row + 1, column + 1)) ** 2).sum(1).min()

    assert clearance(x, y) == max(clearance(c, r) for r, c in np.argwhere(mask))


def test_the_border_of_the_array_counts_as_outside():
    assert interior_point(np.ones((5, 9), dtype=bool)) == (2, 2)


def test_ties_go_to_the_first_pixel_in_row_major_order():
    mask = np.zeros((9, 9), dtype=bool)
    mask[1, 1] = mask[1, 7] = mask[7, 1] = mask[7, 7] = True
    assert interior_point(mask) == (1, 1)
    # The ridge of a long bar: its end, not its middle.
    assert interior_point(np.ones((3, 21), dtype=bool)) == (1, 1)


def test_golden_distances():
    data = np.load(GOLDEN)
    found = [interior_point(mask) for mask in data['masks']]
    np.testing.assert_array_equal(found, data['points_row_col'][:, ::-1])


def plain_distance_point(mask):
    """First maximum of the distance transform within a ring of zeros."""
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    squared = np.rint(distance**2)
    y, x = np.unravel_index(squared.argmax(), mask.shape)
    return x, y


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 9999), st.booleans())
def test_distance_is_that_of_the_plain_transform(height, width, seed, full):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < (0.95 if full else 0.5)
    mask[rng.integers(height), rng.integers(width)] = True
    assert interior_point(mask) == plain_distance_point(mask)


def test_centre_moves_to_the_mask_if_it_falls_into_a_hole():
    assert interior_point(np.ones((5, 7)), 'centre') == (3, 2)
    ring = np.ones((7, 7), dtype=bool)
    ring[1:6, 1:6] = False
    assert interior_point(ring, 'centre') == (3, 0)


def test_uniform_covers_the_mask_and_follows_the_generator():
    mask = np.zeros((4, 4), dtype=bool)
    mask[1, 2] = mask[3, 0] = True
    generator = np.random.default_rng(0)
    seen = {interior_point(mask, 'uniform', generator) for _ in range(50)}
    assert seen == {(2, 1), (0, 3)}
    draws = [interior_point(mask, 'uniform', np.random.default_rng(5)) for _ in 'ab']
    assert draws[0] == draws[1]


def test_offset_is_added():
    mask = np.ones((3, 3))
    for mode in ('distance', 'centre'):
        assert interior_point(mask, mode, offset=(10, 20)) == (11, 21)


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match='empty'):
        interior_point(np.zeros((3, 3)))
    with pytest.raises(ValueError, match='needs a random generator'):
        interior_point(np.ones((3, 3)), 'uniform')
    with pytest.raises(ValueError, match="given 'mean'"):
        interior_point(np.ones((3, 3)), 'mean')
    with pytest.raises(ValueError, match=r'given \(3,\)'):
        interior_point(np.ones(3))
