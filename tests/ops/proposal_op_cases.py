"""One tiny valid call of what makes and reads mask proposals."""

import numpy as np
from case_tools import Case, generated, op, rand

from mmwsis import ops
from mmwsis.structures import Proposals

HITS = [[True, False, True], [False, True, True]]
SCORES = [0.9, 0.5, 0.25]


def proposals():
    rles = [dict(size=[2, 3], counts=counts) for counts in ('132', '06', '51')]
    return Proposals(rles, SCORES, (2, 3))


def hits(**more):
    return dict(hits=np.array(HITS), scores=np.array(SCORES), **more)


def no_hits():
    return dict(hits=np.zeros((0, 3), bool))


def boxed(**more):
    return dict(box=np.array([1, 0, 3, 3]), **more)


CASES = {
    'box_agreement': Case(
        ops.box_agreement,
        lambda: boxed(grab_cut=np.eye(3, 4) > 0, proposal=np.ones((3, 4)) > 0),
    ),
    'box_label_map': Case(
        ops.box_label_map,
        lambda: dict(
            boxes=np.array([[1, 0, 3, 3], [0, 0, 2, 3]]),
            labels=np.array([3, 4]),
            agreements=[ops.BoxAgreement(np.eye(3, 2) > 0, np.eye(3, 2) == 0)] * 2,
            image_size=(3, 4),
        ),
        lambda: dict(boxes=np.zeros((0, 4), int), labels=[], agreements=[]),
    ),
    'grab_cut': Case(
        ops.grab_cut,
        lambda: boxed(
            image=(rand(8, 9, 3) * 256).byte().numpy(), num_iters=1, context=1.0
        ),
    ),
    'pixel_boxes': Case(
        ops.pixel_boxes,
        lambda: dict(boxes=np.array([[0.5, 1, 2.25, 3]]), image_size=(3, 4)),
        lambda: dict(boxes=np.zeros((0, 4))),
        [(0, 4)],
    ),
    'count_bits': Case(
        op('bit_masks.count_bits'),
        lambda: dict(words=np.array([[3, 2**63], [0, 255]], dtype=np.uint64)),
        lambda: dict(words=np.zeros((0, 2), dtype=np.uint64)),
        [(0,)],
    ),
    'encode_regions': Case(
        op('region_rle.encode_regions'),
        lambda: dict(
            label_map=np.array([[0, 1, 1], [2, 2, 1]]),
            member=np.array([[True, False, True], [False, True, False]]),
        ),
        lambda: dict(member=np.zeros((0, 3), bool)),
    ),
    'generate_proposals': Case(
        generated,
        lambda: dict(
            image=(rand(12, 15, 3) * 256).byte().numpy(),
            scales=[100],
            color_spaces=['lab'],
            min_size=4,
            min_area=4,
        ),
    ),
    'pack_bits': Case(
        op('bit_masks.pack_bits'),
        lambda: dict(masks=rand(3, 70).numpy() > 0.5),
        lambda: dict(masks=np.zeros((0, 70), dtype=bool)),
        [(0, 2)],
    ),
    'best_proposals': Case(ops.best_proposals, hits, no_hits, [(0,)]),
    'match_boxes_to_proposals': Case(
        ops.match_boxes_to_proposals,
        lambda: dict(boxes=np.array([[0, 0, 2, 2]]), proposals=proposals()),
        lambda: dict(boxes=np.zeros((0, 4), int)),
        [(0,)],
    ),
    'points_in_proposals': Case(
        ops.points_in_proposals,
        lambda: dict(points=np.array([[0.0, 1.0], [2.0, 1.0]]), proposals=proposals()),
        lambda: dict(points=np.zeros((0, 2))),
        [(0, 3)],
    ),
    'proposal_boxes': Case(
        ops.proposal_boxes,
        lambda: dict(proposals=proposals()),
        lambda: dict(proposals=proposals()[:0]),
        [(0, 4)],
    ),
    'proposal_candidates': Case(
        ops.proposal_candidates, lambda: hits(min_score=0.5), no_hits, [(0, 3)]
    ),
    'proposal_jaccard': Case(
        ops.proposal_jaccard,
        lambda: dict(masks=np.ones((1, 2, 3), bool), proposals=proposals()),
        lambda: dict(masks=np.ones((0, 2, 3), bool)),
        [(0, 3)],
    ),
    'proposal_probabilities': Case(ops.proposal_probabilities, hits, no_hits, [(0, 3)]),
    'proposal_union': Case(ops.proposal_union, lambda: dict(proposals=proposals())),
}
