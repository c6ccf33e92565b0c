"""Masks and pixels drawn around points: golden background, shares, what is empty."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmwsis.ops import draw_pixel_groups, uncovered_pixels
from mmwsis.structures import GridMap

sys.path.append(str(Path(__file__).parent))
from mask_proposals import proposals_of

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


def drawn(points, proposals, seed=0, **options):
    return draw_pixel_groups(points, proposals, np.random.default_rng(seed), **options)


@pytest.mark.parametrize('single', [False, True])
@pytest.mark.parametrize('name', ['a', 'b'])
def test_golden_shares_and_background(name, single):
    case = np.load(GOLDEN / f'proposals_points_{name}.npz')
    points, threshold = case['points_row_col'][:, ::-1], float(case['thresh'])
    order = np.argsort(-case['scores'], kind='stable')
    proposals = proposals_of(case['masks'], case['scores'])
    background = case['background_single' if single else 'background_all']
    # The pixel of a point without proposals is its mask, and no background.
    x, y = points[~case['hit'].any(1)].T
    background[y, x] = False
    found = uncovered_pixels(points, proposals, threshold, single)
    np.testing.assert_array_equal(found, background)
    times = np.zeros((len(points), len(order) + 1))
    for seed in range(250):
        found = drawn(
            points, proposals, seed, cand_min_score=threshold, single_point=single
        )
        times[np.arange(len(points)), found.chosen] += 1
        x, y = found.pixels[-1].T
        assert background[y, x].all()
    shares = times[:, :-1] / times.sum(1, keepdims=True)
    expected = case['sample_prob'][:, order]
    np.testing.assert_allclose(shares, expected, rtol=0, atol=0.1)
    assert (shares[expected == 0] == 0).all()


@st.composite
def scenes(draw):
    """Points, proposals (perhaps of a mirrored and padded image) and their masks."""
    masks = draw(arrays(bool, (draw(st.integers(0, 4)), 4, 5)))
    scores = np.array([-0.5, 0.25, 0.75, 1.0])[::-1][: len(masks)]
    proposals = proposals_of(masks, scores)
    if draw(st.booleans()):
        grid = GridMap.identity((4, 5)).mirrored().window(-1, 1, (5, 6))
        proposals, masks = proposals.transformed(grid), grid.apply(masks, False)
    height, width = proposals.size
    point = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    points = np.array(draw(st.lists(point, max_size=3)), int).reshape(-1, 2)
    return points, proposals, masks


@settings(max_examples=60)
@given(
    scenes(),
    st.integers(0, 9),
    st.fixed_dictionaries(
        dict(
            samples_per_group=st.sampled_from([None, 1, 5]),
            sample_min_score=st.sampled_from([0.0, 0.5]),
            single_point=st.booleans(),
            background_anchors=st.booleans(),
        )
    ),
)
def test_groups_lie_where_the_masks_say(scene, seed, options):
    points, proposals, masks = scene
    found = drawn(points, proposals, seed, **options)
    count, k = len(points), options['samples_per_group'] or len(points)
    hits = masks[:, points[:, 1], points[:, 0]].T
    candidates = hits & (proposals.scores > 0.5)
    if options['single_point']:
        candidates &= hits.sum(0) == 1
    background = ~masks[candidates.any(0)].any(0)
    background[tuple(points[~hits.any(1)].T[::-1])] = False
    own = np.zeros((count, *proposals.size), bool)
    for row, (index, (x, y)) in enumerate(zip(found.chosen, points)):
        allowed = hits[row] & (
            np.maximum(proposals.scores, 0) >= options['sample_min_score']
        )
        assert index == -1 if not allowed.any() else allowed[index]
        own[row] = masks[index] if index >= 0 else False
        own[row, y, x] = True
    if not background.any():
        background = ~own.any(0)
    groups = [*own, background] if background.any() and count else own
    assert found.pixels.shape == (len(groups), k, 2)
    for mask, (x, y) in zip(groups, found.pixels.transpose(0, 2, 1)):
        assert mask[y, x].all()
    expected = np.eye(count, len(groups), dtype=bool)
    np.testing.assert_array_equal(found.anchors[:count], points)
    if options['background_anchors'] and len(groups) > count:
        x, y = found.anchors[count:].T
        assert background[y, x].all() and len(x) == count
        rows = np.eye(len(groups), dtype=bool)[[-1] * count]
        expected = np.concatenate([expected, rows])
    np.testing.assert_array_equal(found.same, expected)
    assert found.pixels.dtype == found.anchors.dtype == found.chosen.dtype == np.int64


def test_pixels_are_drawn_uniformly_and_with_replacement():
    mask = np.zeros((1, 4, 6), bool)
    mask[0, 1:3, 1] = mask[0, 0, 3] = mask[0, 3, 5] = True  # three runs, four pixels
    found = drawn([[1, 1]], proposals_of(mask), samples_per_group=4000)
    for group, inside in zip(found.pixels, [mask[0], ~mask[0]]):
        times = np.zeros(inside.shape)
        np.add.at(times, tuple(group.T[::-1]), 1)
        assert (times[~inside] == 0).all()
        share = times[inside] / 4000 * inside.sum()
        np.testing.assert_allclose(share, 1, rtol=0, atol=0.25)


def test_the_methods_example():
    masks = np.ones((2, 2, 2), bool)
    proposals = proposals_of(masks, [0.6, 0.2])
    chosen = [drawn([[0, 0]], proposals, seed).chosen[0] for seed in range(400)]
    assert np.mean(np.array(chosen) == 0) == pytest.approx(0.75, abs=0.06)


def test_scores_of_zero_and_less_are_drawn_alike_where_there_are_no_others():
    proposals = proposals_of(np.ones((2, 2, 2)), [0.0, -1.0])
    chosen = [drawn([[0, 0]], proposals, seed).chosen[0] for seed in range(400)]
    assert np.mean(chosen) == pytest.approx(0.5, abs=0.08)
    found = drawn([[0, 0]], proposals, sample_min_score=0.1)
    assert found.chosen == [-1] and (found.pixels[0] == 0).all()


def test_without_proposals_objects_are_pixels_and_the_rest_background():
    points = np.array([[0, 0], [2, 1]])
    found = drawn(points, proposals_of(np.zeros((0, 2, 3))), samples_per_group=200)
    assert (found.chosen == -1).all()
    assert (found.pixels[:2] == points[:, None]).all()
    rest = {tuple(pixel) for pixel in found.pixels[2].tolist()}
    assert rest == {(1, 0), (2, 0), (0, 1), (1, 1)}


def test_a_proposal_of_the_whole_image_leaves_no_background():
    proposals = proposals_of(np.ones((1, 2, 3)), [0.9])
    found = drawn([[0, 0], [2, 1]], proposals, background_anchors=True)
    assert found.pixels.shape == (2, 2, 2) and found.same.shape == (2, 2)
    # Where another one was drawn, what that leaves is the background.
    masks = np.ones((2, 2, 3), bool)
    masks[1, :, 2] = False
    proposals = proposals_of(masks, [0.9, 0.8])
    backgrounds = [
        drawn([[0, 0]], proposals, seed, samples_per_group=9) for seed in range(20)
    ]
    assert {len(found.pixels) for found in backgrounds} == {1, 2}
    for found in backgrounds:
        assert len(found.pixels) == 1 + found.chosen[0]
        assert (found.pixels[1:, :, 0] == 2).all()


def test_equal_generators_draw_equal_groups():
    masks = np.random.default_rng(0).random((6, 8, 9)) > 0.4
    points = [[4, 4], [1, 2]]
    one, same, other = (drawn(points, proposals_of(masks), seed) for seed in (0, 0, 1))
    for entry, equal in zip(one, same):
        np.testing.assert_array_equal(entry, equal)
    assert (one.pixels != other.pixels).any()


@pytest.mark.parametrize(
    'points, options, message',
    [
        ([[0, 2]], {}, r'of point 0 is outside the image of 3 x 2 pixels'),
        ([[0, 0]], dict(samples_per_group=0), r'samples_per_group: .* >= 1, got 0'),
        ([[0, 0]], dict(cand_min_score=None), r'cand_min_score: expected a number'),
    ],
)
def test_what_does_not_fit_is_refused(points, options, message):
    with pytest.raises(ValueError, match=message):
        drawn(points, proposals_of(np.ones((1, 2, 3))), **options)
