"""Run-length codes and proposals against decoded masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from mmwsis.structures import GridMap, Proposals, RunLengths
from mmwsis.structures.run_lengths import decompress_counts


def encode(masks):
    if not len(masks):
        return []
    return coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0), np.uint8))


@st.composite
def stacks(draw, most=5):
    shape = [draw(st.integers(0, most)), *draw(st.tuples(*[st.integers(1, 9)] * 2))]
    return draw(arrays(bool, tuple(shape)))


@st.composite
def grids(draw, size):
    """Any chain of resizing, windows and mirroring."""
    grid = GridMap.identity(size)
    for step in draw(st.lists(st.sampled_from('rwm'), max_size=4)):
        height, width = draw(st.tuples(*[st.integers(1, 12)] * 2))
        if step == 'r':
            grid = grid.resized(
                (height, width), draw(st.sampled_from(['centre', 'corner']))
            )
        elif step == 'w':
            top, left = draw(st.tuples(*[st.integers(-3, 8)] * 2))
            grid = grid.window(top, left, (height, width))
        else:
            grid = grid.mirrored()
    return grid


@st.composite
def moved(draw):
    masks = draw(stacks())
    return masks, draw(grids(masks.shape[1:]))


@given(stacks())
def test_unpacked_codes_say_which_masks_cover_a_pixel(masks):
    size = masks.shape[1:]
    rles = encode(masks)
    runs = RunLengths.from_rles(rles, size)
    y, x = np.mgrid[: size[0], : size[1]]
    expected = masks.reshape(len(masks), size[0] * size[1]).T
    np.testing.assert_array_equal(runs.at(x.ravel(), y.ravel()), expected)
    assert runs.to_rles() == rles
    assert len(runs) == len(masks)


@given(st.lists(st.integers(0, 2**28), min_size=1, max_size=9), st.integers(1, 3))
def test_large_runs_are_unpacked(runs, copies):
    # pycocotools writes no more than six characters of five bits for a run.
    code = dict(size=[1, 1], counts=runs)
    counts = coco_mask.frPyObjects(code, 1, 1)['counts']
    found, first = decompress_counts([counts, b'0'] * copies)
    np.testing.assert_array_equal(found, [*runs, 0] * copies)
    np.testing.assert_array_equal(np.diff(first), [len(runs), 1] * copies)


@settings(max_examples=200)
@given(moved())
def test_a_moved_proposal_is_the_moved_mask(drawn):
    masks, grid = drawn
    scores = np.linspace(1, 0, len(masks))
    proposals = Proposals(encode(masks), scores, masks.shape[1:]).transformed(grid)
    expected = grid.apply(masks, False)
    np.testing.assert_array_equal(proposals.decode(), expected)
    assert proposals.current_rles == encode(expected)
    assert proposals.size == expected.shape[1:]


@given(moved(), st.data())
def test_two_steps_are_one(drawn, data):
    masks, grid = drawn
    following = data.draw(grids(grid.size))
    proposals = Proposals(encode(masks), np.zeros(len(masks)), masks.shape[1:])
    np.testing.assert_array_equal(
        proposals.transformed(grid).transformed(following).decode(),
        following.apply(grid.apply(masks, False), False),
    )


def test_ranking_keeps_the_order_of_equal_scores():
    masks = np.eye(4, dtype=bool).reshape(4, 2, 2)
    ranked = Proposals.ranked(encode(masks), [0.1, 0.5, 0.5, 0.9], (2, 2), max_num=3)
    np.testing.assert_allclose(ranked.scores, [0.9, 0.5, 0.5])
    np.testing.assert_array_equal(ranked.decode(), masks[[3, 1, 2]])
    np.testing.assert_array_equal(ranked[1:].decode(), masks[[1, 2]])
    np.testing.assert_array_equal(ranked[[True, False, True]].decode(), masks[[3, 2]])
    assert len(ranked[np.zeros(0, int)]) == 0


@pytest.mark.parametrize(
    'scores, message',
    [
        ([0.5, 0.6], 'descending'),
        ([0.5, np.nan], 'finite'),
        ([0.5], 'as many scores'),
    ],
)
def test_wrong_scores_are_refused(scores, message):
    rles = encode(np.zeros((2, 2, 2), bool))
    with pytest.raises(ValueError, match=message):
        Proposals(rles, scores, (2, 2))


def test_what_does_not_fit_is_refused():
    rles = encode(np.ones((1, 2, 3), bool))
    with pytest.raises(ValueError, match='grid is of an image of'):
        Proposals(rles, [1], (2, 3)).transformed(GridMap.identity((3, 2)))
    with pytest.raises(ValueError, match=r'not all of the 1 RLEs .* 3 x 2'):
        Proposals(rles, [1], (3, 2)).source_runs  # noqa: B018
    runs = RunLengths.from_rles(rles, (2, 3))
    with pytest.raises(ValueError, match='columns must ascend or descend'):
        runs.gathered(np.arange(2), np.array([0, 2, 1]))


@pytest.mark.parametrize(
    'counts', ['', '\x1f', 'z', '6}', '7', '5', b'\xff1', 'PPPPPPPP0']
)
def test_broken_codes_are_refused(counts):
    good = dict(size=[2, 3], counts='6')
    with pytest.raises(ValueError, match='not all of the 2 RLEs'):
        RunLengths.from_rles([good, dict(size=[2, 3], counts=counts)], (2, 3))
