"""Coverage: golden case, slow reference, properties."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.evaluation.coverage import image_coverage, mean_coverage

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise' / 'coverage_a.npz'


def label_map_iou(gt, pred):
    """IoU (P, G) and areas (G,) of the segments of two label maps, 0 is background."""
    objects = [gt == value for value in np.unique(gt[gt != 0])]
    found = [pred == value for value in np.unique(pred[pred != 0])]
    iou = [[(p & g).sum() / (p | g).sum() for g in objects] for p in found]
    areas = np.array([g.sum() for g in objects])
    return np.reshape(iou, (len(found), len(objects))), areas


def reference(gt, pred):
    best, area = [], []
    for value in set(gt.ravel()) - {0}:
        own = gt == value
        ious = [
            (own & (pred == k)).sum() / (own | (pred == k)).sum()
            for k in set(pred.ravel()) - {0}
        ]
        best.append(max(ious, default=0.0))
        area.append(own.sum())
    if not area:
        return np.nan, np.nan
    return np.mean(best), np.dot(best, area) / np.sum(area)


def test_golden():
    data = np.load(GOLDEN)
    images = [
        image_coverage(*label_map_iou(gt, pred))
        for gt, pred in zip(data['gt'], data['pred'])
    ]
    np.testing.assert_allclose([i.unweighted for i in images], data['ucov'], 0, 1e-9)
    np.testing.assert_allclose([i.weighted for i in images], data['wcov'], 0, 1e-9)
    mean = mean_coverage(images)
    assert mean.unweighted == pytest.approx(float(data['MUCov']), abs=1e-9)
    assert mean.weighted == pytest.approx(float(data['MWCov']), abs=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_label_maps(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 8, 2)
    gt = rng.integers(0, rng.integers(1, 5), shape) * 7
    pred = rng.integers(0, rng.integers(1, 6), shape)
    found = image_coverage(*label_map_iou(gt, pred))
    np.testing.assert_allclose(found, reference(gt, pred), rtol=0, atol=1e-12)
    # Numbers of segments are names only.
    other = image_coverage(*label_map_iou(gt, np.where(pred > 0, 90 - pred, 0)))
    np.testing.assert_allclose(found, other, rtol=0, atol=1e-12)
    if gt.any():
        assert image_coverage(*label_map_iou(gt, gt)) == pytest.approx((1, 1))


def test_hand_checked_and_empty_cases():
    found = image_coverage(np.array([[0.5, 0.2], [0.1, 0.9]]), np.array([10, 30]))
    assert found == pytest.approx((0.7, 0.8))
    assert image_coverage(np.zeros((0, 2)), np.array([1, 2])) == (0, 0)
    assert np.isnan(image_coverage(np.zeros((3, 0)), np.zeros(0))).all()
    assert np.isnan(mean_coverage([])).all()
