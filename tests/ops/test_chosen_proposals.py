"""The proposal of each object: golden cases, decoded masks, the method's example."""

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmwsis.ops import choose_proposals, oracle_proposals
from mmwsis.structures import Proposals

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


def proposals_of(masks, scores):
    rles = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0), np.uint8))
    return Proposals.ranked(rles, scores, masks.shape[1:])


@pytest.mark.parametrize('name', ['a', 'b', 'c_nocandidate'])
def test_golden_refinement(name):
    case = np.load(GOLDEN / f'refine_{name}.npz')
    points = case['points_row_col'][:, ::-1]
    regions = case['label_map'] == np.arange(1, len(points) + 1)[:, None, None]
    masks = case['proposal_masks']
    proposals = proposals_of(masks, case['proposal_scores'])
    threshold = case['score_threshold']
    found = choose_proposals(regions, points, proposals, threshold)
    np.testing.assert_array_equal(found.index, case['best_index'])
    np.testing.assert_allclose(found.jaccard, case['best_jaccard'], rtol=0, atol=1e-9)
    refined = np.where((found.index >= 0)[:, None, None], masks[found.index], regions)
    np.testing.assert_array_equal(refined, case['refined_masks'])
    anywhere = choose_proposals(regions, points, proposals, -1, restrict_to_point=False)
    np.testing.assert_array_equal(anywhere.index, case['best_index_unrestricted'])
    by_dice = choose_proposals(regions, points, proposals, threshold, rank_by='dice')
    labels = case['released_labels'] - 1
    np.testing.assert_allclose(
        by_dice.dice[labels], case['released_dice'], rtol=0, atol=1e-9
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
    region = np.zeros((1, 3, 5), bool)
    region[0, :2, :2] = True  # 4 pixels
    masks = np.zeros((2, 3, 5), bool)
    masks[0, :2, :2] = True
    masks[0, 1, 1], masks[0, 2, 4] = False, True  # 4 pixels, 3 shared
    masks[1, :, :3] = True  # 9 pixels, 4 shared
    proposals = proposals_of(masks, [0.9, 0.8])
    found = choose_proposals(region, [[0, 0]], proposals)
    assert found.index == [0]
    assert found.jaccard == pytest.approx(0.6)
    assert found.dice == pytest.approx(6 / 9)
