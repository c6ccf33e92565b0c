"""Maps of rows and columns: equal to the libraries' resizing, exact in chains."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmwsis.structures import GridMap
from mmwsis.structures.grid_map import nearest_pixels

quick = settings(max_examples=60, deadline=None)
SIDE = st.integers(1, 60)
SIZE = st.tuples(SIDE, SIDE)


def numbered(size, dtype=np.float32):
    """An array in which every pixel is unique."""
    return np.arange(np.prod(size), dtype=dtype).reshape(size)


def pixel_by_pixel(grid, array, fill):
    out = np.full(grid.size, fill, array.dtype)
    for y, row in enumerate(grid.rows):
        for x, column in enumerate(grid.columns):
            if row >= 0 and column >= 0:
                out[y, x] = array[row, column]
    return out


@quick
@given(SIZE, SIZE)
def test_resizing_is_that_of_pillow_and_opencv(size, new):
    source, grid = numbered(size), GridMap.identity(size)
    pillow = Image.fromarray(source).resize(new[::-1], Image.Resampling.NEAREST)
    assert np.array_equal(grid.resized(new).apply(source), np.array(pillow))
    opencv = cv2.resize(source, new[::-1], interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(grid.resized(new, 'corner').apply(source), opencv)


@quick
@given(SIZE, st.floats(0.3, 2.5) | st.sampled_from([0.7, 0.9, 1.0, 1.1, 1.3]))
def test_resizing_by_a_factor_is_that_of_opencv(size, factor):
    new = tuple(round(side * factor) for side in size)
    if min(new) < 1:
        return
    source = numbered(size)
    opencv = cv2.resize(
        source, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST
    )
    grid = GridMap.identity(size).resized(new, 'corner', factor)
    assert np.array_equal(grid.apply(source), opencv)


def test_long_sides_are_resized_as_by_the_libraries():
    rng = np.random.default_rng(0)
    for length, new in rng.integers(1, 3000, (200, 2)):
        source = numbered((1, length))
        pillow = Image.fromarray(source).resize((new, 1), Image.Resampling.NEAREST)
        assert np.array_equal(nearest_pixels(length, new), np.array(pillow)[0])
        opencv = cv2.resize(source, (int(new), 1), interpolation=cv2.INTER_NEAREST)
        assert np.array_equal(nearest_pixels(length, new, 'corner'), opencv[0])


OFFSET = st.integers(-20, 20)
STEP = st.one_of(
    st.tuples(st.just('resized'), SIZE, st.sampled_from(['centre', 'corner'])),
    st.tuples(st.just('window'), OFFSET, OFFSET, SIZE),
    st.tuples(st.just('mirrored')),
)


@quick
@given(SIZE, st.lists(STEP, max_size=5))
def test_a_chain_is_its_steps_one_after_the_other(size, steps):
    source = numbered(size, np.int64)
    stepwise, chain = source, GridMap.identity(size)
    for name, *arguments in steps:
        step = getattr(GridMap.identity(stepwise.shape), name)(*arguments)
        assert np.array_equal(
            step.apply(stepwise, -7), pixel_by_pixel(step, stepwise, -7)
        )
        assert np.array_equal(
            chain.then(step).rows, getattr(chain, name)(*arguments).rows
        )
        stepwise, chain = step.apply(stepwise, -7), chain.then(step)
    assert chain.source_size == size and chain.size == stepwise.shape
    assert np.array_equal(chain.apply(source, -7), stepwise)
    assert chain.reaches_outside == (stepwise == -7).any()


@quick
@given(SIZE, st.lists(STEP, max_size=3))
def test_points_find_their_pixel(size, steps):
    grid = GridMap.identity(size)
    for name, *arguments in steps:
        grid = getattr(grid, name)(*arguments)
    pixels = grid.apply(numbered(size, np.int64), -1)
    rows, columns = np.indices(grid.size).reshape(2, -1)
    points = np.stack([columns, rows], axis=1) + [0.4, -0.5]
    found = grid.source_pixels(points)
    expected = pixels[rows, columns]
    outside = expected < 0
    assert (found[outside] == -1).all()
    assert np.array_equal(
        found[~outside], np.stack(np.divmod(expected, size[1])[::-1], axis=1)[~outside]
    )
    beyond = np.array([[-0.6, 0], [0, grid.size[0] - 0.5], [np.nan, 0], [1e9, 0]])
    assert (grid.source_pixels(beyond) == -1).all()


def test_fields_with_further_axes_are_taken_along():
    grid = GridMap.identity((3, 4)).window(-1, 2, (5, 3))
    stack = numbered((6, 3, 4))
    assert np.array_equal(
        grid.apply(stack, 9), np.stack([grid.apply(one, 9) for one in stack])
    )
    image = np.moveaxis(stack[:3], 0, -1)
    colour = np.array([7, 8, 9])
    got = grid.apply(image, colour, axis=0)
    for channel in range(3):
        expected = grid.apply(image[..., channel], colour[channel])
        assert np.array_equal(got[..., channel], expected)
    assert got.flags.c_contiguous and got.dtype == image.dtype
    assert grid.apply(np.empty((0, 3, 4))).shape == (0, 5, 3)


def test_what_does_not_fit_is_refused():
    grid = GridMap.identity((3, 4))
    with pytest.raises(ValueError, match=r'shape \(4, 3\).*\(3, 4\) at axis 0'):
        grid.apply(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r'\(4, 3\), the first one gives \(3, 4\)'):
        grid.then(GridMap.identity((4, 3)))
    with pytest.raises(ValueError, match="'centre' or 'corner', got 'middle'"):
        grid.resized((2, 2), 'middle')
