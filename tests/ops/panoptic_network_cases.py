"""One tiny valid call of what assigns pixels to detections, and of its loss."""

import torch
from case_tools import Case, ints, module, no_labels, rand, zeros

from mmwsis import ops
from mmwsis.models import heads, losses


def detections(count=3):
    boxes = torch.tensor([[0.0, 0, 4, 3], [2, 1, 6, 5], [1, 1, 3, 4]])[:count]
    labels = torch.tensor([0, 2, 1])[:count]
    return dict(labels=labels, scores=rand(count, seed=1), boxes=boxes)


def probabilities(labels=3, height=5):
    return rand(labels, height, 6).softmax(0)


def unary():
    return dict(
        detections(),
        probs=probabilities(),
        box_weight=0.5,
        global_weight=2.0,
        eps=1e-6,
    )


def segments():
    return dict(
        gt_map=ints(5, 6, high=3, seed=2) - 1,
        gt_labels=torch.tensor([0, 1]),
        pred_map=ints(5, 6, high=3, seed=3),
        pred_labels=torch.tensor([0, 1, 1]),
    )


def no_segments():
    return dict(
        gt_map=no_labels(0, 6) - 1, gt_labels=no_labels(0), pred_map=no_labels(0, 6)
    )


def loss():
    found = segments()
    del found['pred_map']
    return dict(found, probs=probabilities())


def no_loss():
    return dict(
        probs=probabilities(height=0), gt_map=no_labels(0, 6), gt_labels=no_labels(0)
    )


build_head = module(heads.InstanceCRFHead)


def crf_head(probs, labels, scores, boxes, image, num_iters):
    counts = dict(num_things_classes=2, num_stuff_classes=1)
    return build_head(
        **counts,
        probs=probs,
        labels=labels,
        scores=scores,
        boxes=boxes,
        image=image,
        num_iters=num_iters,
    )


def head_call():
    found = detections()
    found['labels'] = found['labels'] % 2
    image = rand(5, 6, 3, seed=4) * 255
    return dict(found, probs=probabilities(), image=image, num_iters=2)


CASES = {
    'box_term': Case(
        ops.box_term,
        lambda: dict(detections(), probs=probabilities()),
        lambda: detections(0),
        [(0, 5, 6)],
    ),
    'global_term': Case(
        ops.global_term,
        lambda: dict(labels=detections()['labels'], probs=probabilities()),
        lambda: dict(labels=no_labels(0)),
        [(0, 5, 6)],
    ),
    'instance_unary': Case(
        ops.instance_unary, unary, lambda: detections(0), [(0, 5, 6)]
    ),
    'segment_ious': Case(ops.segment_ious, segments, no_segments, [(0, 3)]),
    'match_segments': Case(
        ops.match_segments,
        lambda: dict(ious=rand(3, 4)),
        lambda: dict(ious=zeros(0, 4)),
        [(0,)],
    ),
    'matched_map': Case(
        ops.matched_map,
        lambda: dict(gt_map=segments()['gt_map'], matched=torch.tensor([1, -1])),
        lambda: dict(gt_map=no_labels(0, 6), matched=no_labels(0)),
        [(0, 6)],
    ),
    'assigned_segments': Case(
        ops.assigned_segments,
        lambda: dict(probs=probabilities()),
        lambda: dict(probs=zeros(3, 0, 6)),
        [(0, 6), (3,), (3,)],
    ),
    'matched_segment_loss': Case(losses.matched_segment_loss, loss, no_loss, [()]),
    'MatchedSegmentLoss': Case(
        module(losses.MatchedSegmentLoss),
        lambda: dict(loss(), loss_weight=2.0),
        no_loss,
        [()],
    ),
    'InstanceCRFHead': Case(
        crf_head, head_call, lambda: detections(0), [(1, 5, 6), (1,), (1,)]
    ),
}
