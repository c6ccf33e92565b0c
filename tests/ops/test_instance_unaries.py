"""Unaries of detections: golden terms and energies, boxes between pixels, gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.ops import assigned_segments, box_term, global_term, instance_unary

GOLDEN = Path(__file__).parents[1] / 'golden' / 'weak_panoptic'


@pytest.mark.parametrize('dtype, limit', [('float64', 1e-10), ('float32', 1e-5)])
@pytest.mark.parametrize('number', range(3))
def test_golden(number, dtype, limit):
    data = np.load(GOLDEN / f'instance_unary_s{number}.npz')
    probs, scores, boxes = (
        torch.from_numpy(data[name].astype(dtype))
        for name in ('Q', 'det_scores', 'det_boxes')
    )
    labels = torch.from_numpy(data['det_classes'])
    unary = instance_unary(
        *(probs, labels, scores, boxes),
        box_weight=float(data['w1']),
        global_weight=float(data['w2']),
        eps=float(data['eps']),
    )
    found = dict(
        psi_box=box_term(probs, labels, scores, boxes),
        psi_global=global_term(probs, labels),
        unary=unary,
        prob_no_pairwise=(-unary).softmax(0),
    )
    for name, value in found.items():
        assert value.dtype == getattr(torch, dtype)
        np.testing.assert_allclose(value, data[name], rtol=0, atol=limit)
    np.testing.assert_array_equal((-unary).softmax(0).argmax(0), data['label'])


@pytest.mark.parametrize('dtype, limit', [('float64', 1e-10), ('float32', 1e-5)])
@pytest.mark.parametrize('number', range(3))
def test_golden_segments(number, dtype, limit):
    data = np.load(GOLDEN / f'instance_unary_s{number}.npz')
    probs = torch.from_numpy(data['prob_no_pairwise'].astype(dtype))
    found = assigned_segments(probs)
    np.testing.assert_array_equal(found.segments, data['label'])
    kept = found.areas.nonzero().flatten().numpy()  # empty ones are dropped
    np.testing.assert_array_equal(kept, data['out_label'])
    np.testing.assert_array_equal(data['det_classes'][kept], data['out_class'])
    np.testing.assert_array_equal(found.areas[kept], data['out_area'])
    for own, wanted in (
        (data['det_scores'][kept], data['out_score_det']),
        (found.confidences[kept], data['out_score_mean_conf']),
    ):
        np.testing.assert_allclose(own, wanted, rtol=0, atol=limit)


def test_terms_of_a_slow_reference():
    torch.manual_seed(0)
    probs = torch.rand(4, 5, 7, dtype=torch.float64)
    labels, scores = torch.randint(4, (9,)), torch.rand(9, dtype=torch.float64)
    boxes = torch.rand(9, 2, 2, dtype=torch.float64).mul(9).sub(1).sort(1)[0].flatten(1)
    expected = torch.zeros(9, 5, 7, dtype=torch.float64)
    for k, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        for y in range(5):
            for x in range(7):
                if x1 <= x + 0.5 < x2 and y1 <= y + 0.5 < y2:
                    expected[k, y, x] = scores[k] * probs[labels[k], y, x]
    assert expected.any()
    torch.testing.assert_close(box_term(probs, labels, scores, boxes), expected)


@pytest.mark.parametrize(
    'x1, x2, columns',
    [(0.5, 1.5, [0]), (0.51, 1.5, []), (0.6, 1.4, []), (0.5, 1.51, [0, 1])],
)
def test_a_box_holds_the_pixels_whose_centres_it_does(x1, x2, columns):
    box = torch.tensor([[x1, 0.0, x2, 1.0]])
    term = box_term(torch.ones(1, 1, 3), torch.tensor([0]), torch.ones(1), box)
    assert term.flatten().nonzero().flatten().tolist() == columns


def test_gradients():
    torch.manual_seed(0)
    probs = torch.rand(3, 4, 5, dtype=torch.float64).softmax(0).requires_grad_()
    weights = torch.rand(2, dtype=torch.float64).requires_grad_()
    labels = torch.tensor([2, 0, 0, 1])
    boxes = torch.tensor([[0.0, 0, 5, 4], [1, 1, 3, 3], [2, 0, 5, 4], [0.6, 0, 0.7, 1]])
    scores = torch.tensor([1, 0.5, 0.75, 0.5])

    def run(probs, first, second):
        return instance_unary(probs, labels, scores, boxes, first, second)

    assert torch.autograd.gradcheck(run, (probs, *weights.unbind()))


def test_half_precision_is_lifted():
    probs = torch.full((1, 2, 2), 1e-7).half()
    box = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    with torch.autocast('cpu', torch.bfloat16):
        unary = instance_unary(probs, torch.tensor([0]), torch.zeros(1), box)
    assert unary.dtype == torch.float32
    expected = -(probs.double() + 1e-8).log().float()
    torch.testing.assert_close(unary, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(labels=torch.tensor([3])), r'labels: expected integers in \[0, 2\]'),
        (dict(scores=torch.tensor([1.5])), r'scores: expected numbers in \[0, 1\]'),
        (dict(scores=torch.tensor([torch.nan])), r'scores: .* got NaN'),
        (dict(boxes=torch.full((1, 4), torch.inf)), 'boxes: expected finite numbers'),
        (dict(box_weight=-1.0), r'box_weight: expected a number in \[0, inf\)'),
        (dict(eps=0), r'eps: expected a number in \(0, inf\)'),
    ],
)
def test_errors(changes, message):
    call = dict(
        probs=torch.rand(3, 4, 5),
        labels=torch.tensor([0]),
        scores=torch.ones(1),
        boxes=torch.ones(1, 4),
    )
    with pytest.raises(ValueError, match=message):
        instance_unary(**{**call, **changes})
