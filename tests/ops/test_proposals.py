"""Proposals against points, boxes and masks: golden cases, and decoded masks."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmwsis.ops import (
    best_proposals,
    match_boxes_to_proposals,
    points_in_proposals,
    proposal_boxes,
    proposal_candidates,
    proposal_coverage,
    proposal_jaccard,
    proposal_probabilities,
    proposal_union,
)
from mmwsis.structures import GridMap

sys.path.append(str(Path(__file__).parent))
from mask_proposals import proposals_of

GOLDEN = Path(__file__).parents[1] / 'golden'
STEPS = (
    lambda grid: grid.mirrored(),
    lambda grid: grid.resized((7, 5)),
    lambda grid: grid.resized((4, 11), 'corner'),
    lambda grid: grid.window(-2, 1, (6, 6)),
)


@st.composite
def moved_proposals(draw):
    """Proposals of an image after up to three steps, and their decoded masks."""
    shape = [draw(st.integers(0, 4)), *draw(st.tuples(*[st.integers(1, 8)] * 2))]
    masks = draw(arrays(bool, tuple(shape)))
    grid = GridMap.identity(masks.shape[1:])
    for step in draw(st.lists(st.sampled_from(STEPS), max_size=3)):
        grid = step(grid)
    proposals = proposals_of(masks)
    if draw(st.booleans()):
        proposals, masks = proposals.transformed(grid), grid.apply(masks, False)
    return proposals, masks


def golden_points(name):
    case = np.load(GOLDEN / 'wise' / f'proposals_points_{name}.npz')
    order = np.argsort(-case['scores'], kind='stable')
    proposals = proposals_of(case['masks'], case['scores'])
    return case, order, proposals, case['points_row_col'][:, ::-1]


@pytest.mark.parametrize('name', ['a', 'b'])
def test_golden_points(name):
    case, order, proposals, points = golden_points(name)
    hits = points_in_proposals(points, proposals)
    np.testing.assert_array_equal(hits, case['hit'][:, order])
    scores = case['scores'][order]
    np.testing.assert_allclose(
        proposal_probabilities(hits, scores),
        case['sample_prob'][:, order],
        rtol=0,
        atol=1e-9,
    )
    best = best_proposals(hits, scores)
    np.testing.assert_array_equal(
        np.where(best < 0, -1, order[best]), case['best_index']
    )
    for key, single in (('all', False), ('single', True)):
        found = proposal_candidates(hits, scores, case['thresh'], single)
        np.testing.assert_array_equal(found, case[f'candidates_{key}'][:, order])
        foreground = proposal_union(proposals[found.any(axis=0)])
        np.testing.assert_array_equal(foreground, case[f'foreground_{key}'])
        np.testing.assert_array_equal(~foreground, case[f'background_{key}'])


@pytest.mark.parametrize('name', ['s0', 's1', 's2', 's3'])
def test_golden_choice_of_a_proposal_for_each_box(name):
    case = np.load(GOLDEN / 'weak_panoptic' / f'box_approx_gt_{name}.npz')
    order = np.argsort(-case['proposal_scores'], kind='stable')
    proposals = proposals_of(case['proposals'], case['proposal_scores'])
    best = match_boxes_to_proposals(case['boxes_xyxy_exclusive'], proposals)
    found = [-1 if place < 0 else order[place] for place in best]
    np.testing.assert_array_equal(found, case['best_proposal'])


@given(moved_proposals())
def test_points_are_in_the_masks_that_cover_them(drawn):
    proposals, masks = drawn
    y, x = (axis.ravel() for axis in np.indices(masks.shape[1:]))
    points = np.stack([x, y], axis=1)
    hits = points_in_proposals(points, proposals)
    np.testing.assert_array_equal(hits, masks[:, y, x].T)
    # A pixel reaches half a pixel to each side of its index.
    np.testing.assert_array_equal(points_in_proposals(points - 0.5, proposals), hits)
    np.testing.assert_array_equal(points_in_proposals(points + 0.49, proposals), hits)


@given(moved_proposals())
def test_boxes_areas_union_and_overlap_are_those_of_the_masks(drawn):
    proposals, masks = drawn
    np.testing.assert_array_equal(proposals.areas, masks.sum((1, 2)))
    np.testing.assert_array_equal(proposal_union(proposals), masks.any(0))
    np.testing.assert_array_equal(proposal_coverage(proposals), masks.sum(0))
    boxes = np.zeros((len(masks), 4), int)
    for box, mask in zip(boxes, masks):
        y, x = mask.nonzero()
        if len(x):
            box[:] = x.min(), y.min(), x.max() + 1, y.max() + 1
    np.testing.assert_array_equal(proposal_boxes(proposals), boxes)
    common = (masks[:, None] & masks).sum((2, 3))
    union = (masks[:, None] | masks).sum((2, 3))
    expected = common / np.maximum(union, 1)
    np.testing.assert_allclose(proposal_jaccard(masks, proposals), expected)


@given(moved_proposals(), st.data())
def test_boxes_find_the_proposal_that_a_loop_over_masks_finds(drawn, data):
    proposals, masks = drawn
    size = masks.shape[1:]
    columns = st.tuples(*[st.integers(0, size[1])] * 2).map(sorted)
    rows = st.tuples(*[st.integers(0, size[0])] * 2).map(sorted)
    (x0, x1), (y0, y1) = data.draw(columns), data.draw(rows)
    filled = np.zeros(size, bool)
    filled[y0:y1, x0:x1] = True
    tight = np.zeros_like(masks)
    for own, (left, top, right, bottom) in zip(tight, proposal_boxes(proposals)):
        own[top:bottom, left:right] = True
    box = np.array([[x0, y0, x1, y1]])
    for overlap, stack in (('mask', masks), ('box', tight)):
        expected, highest = -1, 0
        for index, mask in enumerate(stack):
            iou = (mask & filled).sum() / max((mask | filled).sum(), 1)
            if iou > highest:
                expected, highest = index, iou
        assert match_boxes_to_proposals(box, proposals, overlap) == [expected]


@given(st.data())
def test_selection_is_that_of_loops(data):
    count, points = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 4))
    hits = data.draw(arrays(bool, (points, count)))
    score = st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75])
    scores = np.array(data.draw(st.lists(score, min_size=count, max_size=count)))
    chances, best = proposal_probabilities(hits, scores), best_proposals(hits, scores)
    for single in (False, True):
        found = proposal_candidates(hits, scores, 0.25, single)
        for row, candidates in zip(hits, found):
            for index in range(count):
                alone = sum(bool(other[index]) for other in hits) == 1
                wanted = row[index] and scores[index] > 0.25 and (alone or not single)
                assert candidates[index] == wanted
    for row, chance, winner in zip(hits, chances, best):
        covering = [index for index in range(count) if row[index]]
        weights = {index: max(scores[index], 0) for index in covering}
        if not any(weights.values()):
            weights = dict.fromkeys(covering, 1)
        total = sum(weights.values())
        expected = [weights.get(i, 0) / total if total else 0 for i in range(count)]
        np.testing.assert_allclose(chance, expected)
        assert winner == max(covering, key=lambda i: (scores[i], -i), default=-1)


def test_a_score_is_not_above_itself_in_single_precision():
    scores = np.float32([0.7, 0.6])  # of which the second is more than 0.6
    hits = np.ones((1, 2), bool)
    assert proposal_candidates(hits, scores, 0.6).tolist() == [[True, False]]


def test_padding_is_covered_by_no_proposal():
    proposals = proposals_of(np.ones((1, 2, 2), bool))
    padded = proposals.transformed(GridMap.identity((2, 2)).window(0, 0, (3, 3)))
    hits = points_in_proposals(np.array([[1, 1], [2, 1], [1, 2]]), padded)
    assert hits.ravel().tolist() == [True, False, False]


@pytest.mark.parametrize(
    'points, message',
    [
        ([[0, 0], [2.5, 1]], r'\[2.5, 1.0\] of point 1 is outside .* 2 x 3'),
        ([[-0.6, 0]], r'of point 0 is outside'),
        ([[0, np.nan]], r'of point 0 is outside'),
        ([0, 0], r'expected numbers \(K, 2\)'),
    ],
)
def test_points_outside_are_named(points, message):
    with pytest.raises(ValueError, match=message):
        points_in_proposals(points, proposals_of(np.ones((1, 3, 2), bool)))


def test_what_does_not_fit_is_refused():
    proposals = proposals_of(np.ones((1, 3, 2), bool))
    with pytest.raises(ValueError, match=r'masks: expected shape \(M, 3, 2\)'):
        proposal_jaccard(np.ones((1, 2, 3), bool), proposals)
    with pytest.raises(ValueError, match="overlap: expected 'box' or 'mask'"):
        match_boxes_to_proposals(np.zeros((1, 4), int), proposals, 'dice')
    with pytest.raises(ValueError, match=r'boxes: expected integers \(B, 4\)'):
        match_boxes_to_proposals(np.zeros((1, 4)), proposals)
    with pytest.raises(ValueError, match=r'got \(1, 2\) and \(3,\)'):
        best_proposals(np.ones((1, 2), bool), np.ones(3))
