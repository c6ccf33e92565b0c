"""Matching of segments: golden IoUs and pairs, the best sum, ignored pixels."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.losses import MatchedSegmentLoss, matched_segment_loss
from mmwsis.ops import match_segments, matched_map, segment_ious

GOLDEN = Path(__file__).parents[1] / 'golden' / 'weak_panoptic'


def golden(number, dtype='float64'):
    data = np.load(GOLDEN / f'match_loss_s{number}.npz')
    places = {key: place for place, key in enumerate(data['gt_ids'].tolist())}
    rows = np.vectorize(lambda key: places.get(key, -1))(data['gt_instance'])
    return (
        data,
        torch.from_numpy(data['prob'].astype(dtype)),
        torch.from_numpy(data['pred_classes']),
        torch.from_numpy(rows),
        torch.from_numpy(data['gt_classes']),
    )


@pytest.mark.parametrize('dtype, limit', [('float64', 1e-10), ('float32', 1e-5)])
@pytest.mark.parametrize('number', range(4))
def test_golden(number, dtype, limit):
    data, probs, pred_labels, gt_map, gt_labels = golden(number, dtype)
    ious = segment_ious(gt_map, gt_labels, probs.argmax(0), pred_labels)
    np.testing.assert_allclose(ious, data['iou'], rtol=0, atol=1e-10)
    matched = match_segments(ious)
    np.testing.assert_array_equal(matched, data['matched_pred'])
    target = matched_map(gt_map, matched)
    np.testing.assert_array_equal(target, data['matched_gt'])
    assert (target >= 0).sum() == data['n_valid']
    loss = matched_segment_loss(probs, pred_labels, gt_map, gt_labels)
    assert float(loss) == pytest.approx(float(data['loss_mean']), rel=0, abs=limit)
    total = float(loss) * float(data['n_valid'])
    assert total == pytest.approx(float(data['loss_sum']), rel=limit, abs=limit)


@pytest.mark.parametrize('seed', range(5))
def test_ious_are_those_of_masks(seed):
    rng = np.random.default_rng(seed)
    gt_map = torch.from_numpy(rng.integers(-1, 4, (9, 11)))
    pred_map = torch.from_numpy(rng.integers(0, 5, (9, 11)))
    gt_labels = torch.from_numpy(rng.integers(0, 2, 4))
    pred_labels = torch.from_numpy(rng.integers(0, 2, 5))
    known = gt_map >= 0
    expected = torch.zeros(4, 5, dtype=torch.float64)
    for g, k in itertools.product(range(4), range(5)):
        truth, found = gt_map == g, (pred_map == k) & known
        if gt_labels[g] == pred_labels[k]:
            expected[g, k] = (truth & found).sum().double() / (truth | found).sum()
    found = segment_ious(gt_map, gt_labels, pred_map, pred_labels)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_the_sum_of_a_matching_is_the_largest():
    ious = torch.from_numpy(np.random.default_rng(0).random((4, 5)))
    best = max(
        sum(ious[row, column] for row, column in enumerate(columns))
        for columns in itertools.permutations(range(5), 4)
    )
    matched = match_segments(ious)
    assert ious[torch.arange(4), matched].sum() == pytest.approx(float(best))


def test_what_does_not_overlap_is_no_pair():
    assert match_segments(torch.zeros(2, 3)).tolist() == [-1, -1]
    assert match_segments(torch.zeros(2, 0)).tolist() == [-1, -1]
    assert match_segments(torch.zeros(0, 3)).tolist() == []


def test_the_order_of_detections_does_not_matter():
    _, probs, pred_labels, gt_map, gt_labels = golden(0)
    loss = MatchedSegmentLoss(loss_weight=3.0)
    expected = loss(probs, pred_labels, gt_map, gt_labels)
    order = torch.tensor([4, 2, 0, 1, 3])
    found = loss(probs[order], pred_labels[order], gt_map, gt_labels)
    torch.testing.assert_close(found, expected)


def test_nothing_valid_is_an_exact_zero_with_a_graph():
    _, probs, pred_labels, gt_map, gt_labels = golden(2)
    logits = probs.log().requires_grad_()
    loss = matched_segment_loss(logits.softmax(0), pred_labels, gt_map, gt_labels)
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_gradients():
    _, probs, pred_labels, gt_map, gt_labels = golden(3)
    logits = probs[:, :6, :6].log().requires_grad_()

    def run(logits):
        own = gt_map[:6, :6]
        return matched_segment_loss(logits.softmax(0), pred_labels, own, gt_labels)

    assert torch.autograd.gradcheck(run, logits)


def test_a_probability_of_zero_has_a_finite_loss():
    logits = torch.tensor([[[0.0, 200.0]], [[200.0, 0.0]]], requires_grad=True)
    gt_map = torch.tensor([[0, 1]])
    labels = torch.tensor([0, 0])
    probs = logits.softmax(0)
    assert not probs.all()
    loss = matched_segment_loss(probs, labels, torch.zeros_like(gt_map), labels[:1])
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_numbers_of_no_segment_are_refused():
    one = torch.tensor([0])
    with pytest.raises(ValueError, match=r'gt_map: expected integers in \[0, 0\]'):
        segment_ious(torch.tensor([[0, 1]]), one, torch.tensor([[0, 0]]), one)
    with pytest.raises(ValueError, match=r'pred_map: expected integers in \[0, 0\]'):
        segment_ious(torch.tensor([[0, 0]]), one, torch.tensor([[0, -1]]), one)
