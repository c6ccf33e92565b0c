"""Displacement fields as colours."""

import numpy as np
import pytest

from mmwsis.visualization.displacement import displacement_colors, draw_displacement

WHITE = (255, 255, 255)


def test_direction_is_the_hue_and_length_the_saturation():
    field = np.zeros((2, 1, 5))
    field[1, 0, :3] = 2, -2, 1  # right, left, half as far to the right
    field[0, 0, 3] = 2  # down
    right, left, half, down, nothing = displacement_colors(field, longest=2.0)[0]
    assert tuple(right) == (255, 0, 0)
    assert tuple(left) == (0, 255, 255)
    np.testing.assert_allclose(half, (255, 127.5, 127.5), atol=1)
    np.testing.assert_allclose(down, (127.5, 255, 0), atol=1)
    assert tuple(nothing) == WHITE


@pytest.mark.parametrize('shape', [(2, 0, 3), (3, 4, 4), (4, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r'Expected a field \(2, h, w\)'):
        displacement_colors(np.zeros(shape))


@pytest.mark.parametrize('used', [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_wheel_does_not_hide_an_object(used):
    """Objects in three corners; the wheel goes into the fourth."""
    field = np.zeros((2, 64, 64))
    rows, columns = ((slice(0, 16), slice(48, 64))[side] for side in used)
    field[1, :16, :16] = field[1, :16, -16:] = 5
    field[1, -16:, :16] = field[1, -16:, -16:] = 5
    field[:, rows, columns] = 0
    image = np.zeros((256, 256, 3), np.uint8)
    drawn = draw_displacement(image, field, longest=5.0)
    plain = draw_displacement(image, field, longest=5.0, wheel=False)
    changed = (drawn != plain).any(-1)
    quarter = np.s_[
        4 * rows.start : 4 * rows.stop, 4 * columns.start : 4 * columns.stop
    ]
    assert changed[quarter].mean() > 0.5
    changed[quarter] = False
    assert not changed.any()


def test_without_room_there_is_no_wheel():
    field = np.zeros((2, 2, 2))
    image = np.zeros((40, 40, 3), np.uint8)
    drawn = draw_displacement(image, field, min_side=0)
    assert (drawn == 255).all()
