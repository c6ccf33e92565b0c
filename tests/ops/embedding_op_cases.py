"""One tiny valid call of what draws, compares and assigns pixels by embeddings."""

import numpy as np
import torch
from case_tools import Case, ints, module, no_labels, rand, zeros
from proposal_op_cases import proposals

from mmwsis import ops
from mmwsis.models import losses


def covered(**more):
    points = np.array([[0, 1], [2, 0]])
    return dict(points=points, proposals=proposals(), min_score=0.3, **more)


def no_points():
    return dict(points=np.zeros((0, 2), int))


def known(**more):
    masks = np.array([[[True, True, False], [False, True, False]]])
    return dict(
        points=np.array([[0, 0], [2, 1]]),
        labels=np.array([1, 1]),
        gt_masks=masks,
        gt_labels=np.array([1]),
        **more,
    )


def nothing_known():
    return dict(no_points(), labels=np.zeros(0, int))


def drawn(points, proposals, **options):
    return ops.draw_pixel_groups(points, proposals, np.random.default_rng(0), **options)


def pairs(anchors=2, groups=3):
    return dict(
        anchors=rand(anchors, 4),
        samples=rand(groups, 2, 4, seed=1),
        same=torch.eye(3, dtype=torch.bool)[:anchors, :groups],
    )


def no_pairs():
    return dict(anchors=zeros(0, 4), same=torch.zeros(0, 3, dtype=torch.bool))


CASES = {
    'assign_pixels': Case(
        ops.assign_pixels,
        lambda: dict(
            maps=rand(3, 4, 5) - 0.5,
            size=(7, 8),
            objects=rand(2, 3, seed=1) - 0.5,
            background=rand(2, 3, seed=2) - 0.5,
            chunk=2,
        ),
        lambda: dict(size=(0, 8)),
        [(0, 8)],
    ),
    'background_pixels': Case(
        ops.background_pixels,
        lambda: dict(
            maps=rand(3, 4, 5),
            background=rand(7, 8, seed=1) > 0.5,
            k=3,
            stride=2,
        ),
        lambda: dict(background=torch.zeros(7, 8, dtype=torch.bool)),
        [(0, 2)],
    ),
    'choose_proposals': Case(
        ops.choose_proposals,
        lambda: covered(regions=np.array([np.eye(2, 3), np.eye(2, 3)[::-1]]) > 0),
        lambda: dict(no_points(), regions=np.zeros((0, 2, 3), bool)),
        [(0,), (0,), (0,)],
    ),
    'cluster_representatives': Case(
        ops.cluster_representatives,
        lambda: dict(embeddings=rand(6, 3), clusters=ints(6, high=3)),
        lambda: dict(embeddings=zeros(0, 3), clusters=no_labels(0)),
        [(0,)],
    ),
    'draw_pixel_groups': Case(
        drawn,
        lambda: dict(
            points=np.array([[0, 1], [2, 0]]),
            proposals=proposals(),
            samples_per_group=3,
            sample_min_score=0.1,
            cand_min_score=0.3,
        ),
        no_points,
        [(0, 2), (0, 3, 2), (0, 0), (0,)],
    ),
    'enlarged_at': Case(
        ops.enlarged_at,
        lambda: dict(maps=rand(3, 4, 5), pixels=ints(2, 6, 2, high=7), size=(7, 8)),
        lambda: dict(pixels=no_labels(0, 6, 2)),
        [(0, 6, 3)],
    ),
    'k_means': Case(
        ops.k_means,
        lambda: dict(embeddings=rand(8, 3), k=2, max_iterations=4, tol=1e-3),
    ),
    'least_covered_pixels': Case(ops.least_covered_pixels, covered, no_points),
    'oracle_objects': Case(ops.oracle_objects, known, nothing_known, [(0,)]),
    'oracle_proposals': Case(
        ops.oracle_proposals,
        lambda: known(proposals=proposals(), min_score=0.3),
        nothing_known,
        [(0,), (0,), (0,)],
    ),
    'pixel_embedding_loss': Case(losses.pixel_embedding_loss, pairs, no_pairs, [()]),
    'PixelEmbeddingLoss': Case(
        module(losses.PixelEmbeddingLoss),
        lambda: dict(pairs(), loss_weight=2.0),
        no_pairs,
        [()],
    ),
    'proposal_coverage': Case(
        ops.proposal_coverage, lambda: dict(proposals=proposals())
    ),
    'uncovered_pixels': Case(ops.uncovered_pixels, covered, no_points),
}
