"""Coding of segment ids as colours."""

import numpy as np

from mmwsis.structures import colours_of_ids, ids_of_colours


def test_red_is_the_lowest_digit():
    ids = np.array([[0, 1, 256], [65536, 2**24 - 1, 3 + 256 * 2 + 65536]])
    colours = colours_of_ids(ids)
    assert colours.dtype == np.uint8
    assert colours[0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert colours[1].tolist() == [[1, 0, 0], [255, 255, 255], [1, 2, 3]]
    np.testing.assert_array_equal(ids_of_colours(colours), ids)


def test_small_integer_types_do_not_overflow():
    ids = np.array([[65535, 257]], dtype=np.uint16)
    np.testing.assert_array_equal(ids_of_colours(colours_of_ids(ids)), ids)
