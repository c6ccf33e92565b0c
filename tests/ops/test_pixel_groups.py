"""Masks and pixels drawn around points: golden background, shares, what is empty."""

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmwsis.ops import draw_pixel_groups, uncovered_pixels
from mmwsis.structures import Proposals

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


def proposals_of(masks, scores):
    masks = np.asarray(masks, bool)
    stack = np.asfortranarray(masks.transpose(1, 2, 0), np.uint8)
    rles = coco_mask.encode(stack) if len(masks) else []
    return Proposals.ranked(rles, scores, masks.shape[1:])


def drawn(points, proposals, seed=0, **options):
    return draw_pixel_groups(points, proposals, np.random.default_rng(seed), **options)


@pytest.mark.parametrize('name', ['a', 'b'])
def test_golden_groups(name):
    case = np.load(GOLDEN / f'proposals_points_{name}.npz')
    points = case['points_row_col'][:, ::-1]
    order = np.argsort(-case['scores'], kind='stable')
    proposals = proposals_of(case['masks'], case['scores'])
    times = np.zeros((len(points), len(order) + 1))
    for kind, single in (('all', False), ('single', True)):
        options = dict(cand_min_score=case['thresh'], single_point=single)
        background = case[f'background_{kind}']
        covered = uncovered_pixels(points, proposals, case['thresh'], single)
        x, y = points[~case['hit'].any(1)].T
        background[y, x] = False
        np.testing.assert_array_equal(covered, background)
        for seed in range(200):
            found = drawn(points, proposals, seed, **options)
            times[np.arange(len(points)), found.chosen] += 1
            x, y = found.pixels.transpose(2, 0, 1)
            assert background[y[-1], x[-1]].all()
            for row, index in enumerate(found.chosen):
                if index < 0:
                    assert (found.pixels[row] == points[row]).all()
                else:
                    assert case['masks'][order[index], y[row], x[row]].all()
    shares = times[:, :-1] / times.sum(1, keepdims=True)
    np.testing.assert_allclose(shares, case['sample_prob'][:, order], atol=0.08)
    assert (shares[case['sample_prob'][:, order] == 0] == 0).all()
