import numpy as np
import pytest

from mmwsis.visualization import class_map_tiles, draw_heat, draw_numbers

GREY = np.full((20, 30, 3), 120, np.uint8)


def test_heat_covers_what_is_high_and_spares_what_is_low():
    values = np.zeros((5, 6), np.float16)
    values[:, 3:] = 1
    picture = draw_heat(GREY, values, alpha=1.0, min_side=20)
    assert picture.shape == GREY.shape
    assert (picture[:, :8] == 120).all()
    assert (picture[:, -6:] != 120).any(-1).all()


def test_heat_survives_values_that_are_no_numbers():
    values = np.array([[np.nan, np.inf], [0.0, 0.0]])
    assert (draw_heat(GREY, values, min_side=20) == 120).all()
    with pytest.raises(ValueError, match=r'map .h, w., got shape .2, 3, 4.'):
        draw_heat(GREY, np.zeros((2, 3, 4)))


def test_numbers_get_colours_of_their_own():
    numbers = np.zeros((20, 30), np.int64)
    numbers[:5], numbers[5:10], numbers[10:15] = 7, 300, 255
    picture = draw_numbers(GREY, numbers, unknown=255, alpha=1.0, min_side=20)
    assert (picture[15:] == 120).all() and (picture[10:15] == 255).all()
    colors = {tuple(picture[row, 0]) for row in (0, 5, 10, 15)}
    assert len(colors) == 4
    tinted = draw_numbers(GREY, numbers, background=None, alpha=1.0, min_side=20)
    assert (tinted[15:] != 120).any(-1).all()
    with pytest.raises(ValueError, match='whole numbers'):
        draw_numbers(GREY, np.zeros((2, 2)))


def test_one_tile_a_class():
    maps = np.stack([np.zeros((5, 5)), np.full((5, 5), 0.25)])
    tiles = class_map_tiles(GREY, [0, 2], maps, ('a', 'b', 'c'), 'image 1: ')
    assert [t.caption for t in tiles] == [
        'image 1: a, up to 0.00',
        'image 1: c, up to 0.25',
    ]
    assert [t.caption for t in class_map_tiles(GREY, [], maps[:0], ())] == ['no class']
