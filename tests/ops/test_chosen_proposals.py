"""The proposal of each object: golden cases, decoded masks, the method's example."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmwsis.ops import (
    choose_proposals,
    oracle_objects,
    oracle_proposals,
    points_in_proposals,
    proposal_candidates,
)

sys.path.append(str(Path(__file__).parent))
from mask_proposals import proposals_of

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'
SIZE = (4, 6)


@pytest.mark.parametrize('name', ['a', 'b', 'c_nocandidate'])
def test_golden_refinement(name):
    case = np.load(GOLDEN / f'refine_{name}.npz')
    points = case['points_row_col'][:, ::-1]
    regions = case['label_map'] == np.arange(1, len(points) + 1)[:, None, None]
    masks = case['proposal_masks']
    proposals = proposals_of(masks, case['proposal_scores'])
    threshold = case['score_threshold']
    hits = points_in_proposals(points, proposals)
    candidates = proposal_candidates(hits, proposals.scores, threshold)
    np.testing.assert_array_equal(candidates, case['candidates'])
    for number in range(len(masks)):
        alone = proposals[np.array([number])]
        single = choose_proposals(regions, points, alone, -1, restrict_to_point=False)
        np.testing.assert_allclose(
            single.jaccard, case['jaccard'][:, number], rtol=0, atol=1e-9
        )
    found = choose_proposals(regions, points, proposals, threshold)
    np.testing.assert_array_equal(found.index, case['best_index'])
    np.testing.assert_allclose(found.jaccard, case['best_jaccard'], rtol=0, atol=1e-9)
    refined = np.where((found.index >= 0)[:, None, None], masks[found.index], regions)
    np.testing.assert_array_equal(refined, case['refined_masks'])
    anywhere = choose_proposals(regions, points, proposals, -1, restrict_to_point=False)
    np.testing.assert_array_equal(anywhere.index, case['best_index_unrestricted'])
    # The released code ranks by Dice, and keeps a region that nothing overlaps.
    found = choose_proposals(regions, points, proposals, threshold, rank_by='dice')
    own = case['released_labels'] - 1
    refined = np.where((found.index >= 0)[:, None, None], masks[found.index], regions)
    np.testing.assert_array_equal(refined[own], case['released_masks'])
    np.testing.assert_allclose(
        found.dice[own], case['released_dice'], rtol=0, atol=1e-9
    )


def test_golden_oracle():
    case = np.load(GOLDEN / 'oracle_a.npz')
    ids = np.unique(case['gt_objects'])[1:]
    gt_masks = case['gt_objects'] == ids[:, None, None]
    gt_labels = [case['gt_classes'][mask][0] for mask in gt_masks]
    points = case['points_row_col_class'][:, 1::-1]
    labels = case['points_row_col_class'][:, 2]
    proposals = proposals_of(case['proposal_masks'], case['proposal_scores'])
    found = oracle_proposals(points, labels, gt_masks, gt_labels, proposals)
    kept = found.index >= 0
    np.testing.assert_array_equal(labels[kept], case['out_classes'])
    np.testing.assert_allclose(found.dice[kept], case['out_scores'], rtol=0, atol=1e-9)
    chosen = case['proposal_masks'][found.index[kept]]
    np.testing.assert_array_equal(chosen, case['out_masks'])


def test_the_methods_example():
    region, masks = np.zeros((1, 3, 5), bool), np.zeros((2, 3, 5), bool)
    region[0, :2, :2] = masks[0, :2, :2] = True
    masks[0, 1, 1], masks[0, 2, 4] = False, True  # 4 pixels, 3 of them shared
    masks[1, :, :3] = True  # 9 pixels, 4 of them shared
    proposals = proposals_of(masks, [0.9, 0.8])
    found = choose_proposals(region, [[0, 0]], proposals)
    assert found.index == [0]
    assert found.jaccard == pytest.approx(0.6)
    assert found.dice == pytest.approx(6 / 9)
    alone = choose_proposals(region, [[0, 0]], proposals, min_score=0.85)
    assert alone.index == [0]
    other = choose_proposals(region, [[1, 1]], proposals)
    assert other.index == [1] and other.jaccard == pytest.approx(4 / 9)


@given(st.data())
def test_choices_are_those_of_a_loop_over_decoded_masks(data):
    count, objects = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 3))
    masks = data.draw(arrays(bool, (count, *SIZE)))
    regions = data.draw(arrays(bool, (objects, *SIZE)))
    point = st.tuples(st.integers(0, SIZE[1] - 1), st.integers(0, SIZE[0] - 1))
    points = data.draw(st.lists(point, min_size=objects, max_size=objects))
    scores = np.sort(data.draw(arrays(np.float64, count, elements=SCORES)))[::-1]
    restrict, rank_by = data.draw(st.booleans()), data.draw(st.sampled_from(RANKS))
    found = choose_proposals(
        regions,
        np.array(points, int).reshape(-1, 2),
        proposals_of(masks, scores),
        restrict_to_point=restrict,
        rank_by=rank_by,
    )
    for row, ((x, y), region) in enumerate(zip(points, regions)):
        best, overlap, other = -1, 0, 0
        for index, mask in enumerate(masks):
            common, areas = (mask & region).sum(), mask.sum() + region.sum()
            values = common / max(1, areas - common), 2 * common / (areas + 1)
            allowed = scores[index] > 0.5 and (mask[y, x] or not restrict)
            if allowed and values[RANKS.index(rank_by)] > (overlap, other)[0]:
                best = index
                overlap, other = values if rank_by == 'jaccard' else values[::-1]
        assert found.index[row] == best
        pair = (overlap, other) if rank_by == 'jaccard' else (other, overlap)
        assert (found.jaccard[row], found.dice[row]) == pytest.approx(pair)


SCORES = st.sampled_from([0.0, 0.5, 0.75, 1.0])
RANKS = 'jaccard', 'dice'


def test_of_objects_that_overlap_the_first_of_the_class_is_taken():
    masks = np.ones((3, 2, 2), bool)
    masks[1, 0, 0] = False
    points = [[0, 0], [1, 1], [1, 1], [0, 0]]
    assert oracle_objects(points, [2, 2, 0, 1], masks, [0, 2, 2]).tolist() == [
        *(2, 1, 0, -1)
    ]
    assert oracle_objects(points, [0] * 4, masks[:0], []).tolist() == [-1] * 4
    assert oracle_objects(np.zeros((0, 2), int), [], masks, [0, 2, 2]).shape == (0,)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(points=[[0, 2]]), r'points: .* \(2, 2\), got up to \[0, 2\]'),
        (dict(points=[[0.5, 1]]), r'points: expected integers of shape \(1, 2\)'),
        (dict(labels=[0, 1]), r'labels: expected integers of shape \(1,\)'),
        (dict(gt_masks=np.ones((2, 2), bool)), r'gt_masks: expected integers'),
        (dict(gt_labels=[0, 1]), r'gt_labels: expected integers of shape \(1,\)'),
    ],
)
def test_objects_that_do_not_fit_are_refused(changes, message):
    call = dict(
        points=[[0, 1]], labels=[0], gt_masks=np.ones((1, 2, 2), bool), gt_labels=[0]
    )
    with pytest.raises(ValueError, match=message):
        oracle_objects(**{**call, **changes})


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(regions=np.ones((2, 2, 3), bool)), r'regions: .* \(1, 2, 3\), one per'),
        (dict(regions=np.ones((1, 2, 3))), r'regions: .* got float64'),
        (dict(points=[[3, 0]]), r'point 0 is outside the image of 3 x 2'),
        (dict(rank_by='iou'), r"rank_by: expected 'jaccard' or 'dice', got 'iou'"),
    ],
)
def test_regions_that_do_not_fit_are_refused(changes, message):
    call = dict(
        regions=np.ones((1, 2, 3), bool),
        points=[[0, 0]],
        proposals=proposals_of(np.ones((1, 2, 3))),
    )
    with pytest.raises(ValueError, match=message):
        choose_proposals(**{**call, **changes})
