"""One tiny valid call of every loss, head and patch function."""

import torch
from case_tools import (
    LOSS_TAIL,
    Case,
    fcn8_head,
    ints,
    level_head,
    module,
    no_labels,
    pixel_head,
    point_loss_call,
    point_loss_empty,
    points_case,
    rand,
    relation_call,
    zeros,
)

from mmwsis.models import heads, losses
from mmwsis.models.labelers import patch_grid


def guided_call(channels):
    return dict(
        pred=rand(2, channels, 4, 5),
        target=rand(2, channels, 4, 5, seed=1),
        weight=rand(2, 1, 4, 5, seed=2) * ints(2, 1, 4, 5, seed=3),
    )


def guided_empty(channels):
    maps = zeros(0, channels, 4, 5)
    return dict(pred=maps, target=maps, weight=zeros(0, 1, 4, 5))


def pixel_call():
    return dict(logits=rand(2, 3, 4, 5), target=ints(2, 4, 5, high=3), ratio=0.3)


def no_pixels():
    return dict(logits=zeros(0, 3, 4, 5), target=no_labels(0, 4, 5))


def localization(form='softmax'):
    return dict(
        logits=rand(3, 6, 7) * 6 - 3,
        points=torch.tensor([[1, 1], [4, 2], [5, 4]]),
        labels=no_labels(3),
        form=form,
        local_split_offset=1,
    )


def unlabelled():
    return dict(points=no_labels(0, 2), labels=no_labels(0))


CASES = {
    'lcfcn_loss': Case(losses.lcfcn_loss, localization, unlabelled, [()] * 5),
    'lcfcn_loss, sigmoid': Case(
        losses.lcfcn_loss, lambda: localization('sigmoid'), unlabelled, [()] * 7
    ),
    'LCFCNLoss': Case(module(losses.LCFCNLoss), localization, unlabelled, [()] * 5),
    'center_loss': Case(
        losses.center_loss, lambda: guided_call(3), lambda: guided_empty(3), [()]
    ),
    'offset_loss': Case(
        losses.offset_loss, lambda: guided_call(2), lambda: guided_empty(2), [()]
    ),
    'hard_pixel_cross_entropy': Case(
        losses.hard_pixel_cross_entropy, pixel_call, no_pixels, [()]
    ),
    'CenterLoss': Case(
        module(losses.CenterLoss),
        lambda: dict(guided_call(3), loss_weight=2.0),
        lambda: guided_empty(3),
        [()],
    ),
    'OffsetLoss': Case(
        module(losses.OffsetLoss),
        lambda: dict(guided_call(2), loss_weight=2.0),
        lambda: guided_empty(2),
        [()],
    ),
    'HardPixelCrossEntropy': Case(
        module(losses.HardPixelCrossEntropy), pixel_call, no_pixels, [()]
    ),
    'dice_loss': Case(
        losses.dice_loss,
        lambda: dict(pred=rand(2, 4, 5), target=rand(2, 4, 5, seed=1)),
        lambda: dict(pred=zeros(0, 4, 5), target=zeros(0, 4, 5)),
        [(0,)],
    ),
    'projection_mil_loss': Case(
        losses.projection_mil_loss,
        lambda: dict(prob=rand(2, 4, 5), box_target=rand(2, 4, 5, seed=1)),
        lambda: dict(prob=zeros(0, 4, 5), box_target=zeros(0, 4, 5)),
        [(0,)],
    ),
    'downsample_box_mask': Case(
        losses.downsample_box_mask,
        lambda: dict(box_mask=rand(2, 8, 8), size=(4, 5)),
        lambda: dict(box_mask=zeros(0, 8, 8)),
        [(0, 4, 5)],
    ),
    'point_labels': points_case(losses.point_labels),
    'point_loss': Case(losses.point_loss, point_loss_call, point_loss_empty, [(0,)]),
    'inter_pixel_relation_loss': Case(
        losses.inter_pixel_relation_loss,
        relation_call,
        lambda: dict(
            edge_logit=zeros(0, 1, 4, 6),
            displacement=zeros(0, 2, 4, 6),
            labels=no_labels(0, 4, 6),
        ),
        [()] * 5,
    ),
    'ExtremePointLoss': Case(
        module(losses.ExtremePointLoss),
        lambda: dict(point_loss_call(), **LOSS_TAIL),
        point_loss_empty,
        [()],
    ),
    'InterPixelRelationLoss': Case(
        module(losses.InterPixelRelationLoss),
        lambda: dict(relation_call(), grid_size=(4, 6)),
        lambda: dict(
            edge_logit=zeros(0, 1, 4, 6),
            displacement=zeros(0, 2, 4, 6),
            labels=no_labels(0, 4, 6),
        ),
        [()] * 5,
    ),
    'MeanFieldCRFLoss': Case(
        module(losses.MeanFieldCRFLoss),
        lambda: dict(
            image=rand(2, 3, 4, 5),
            student_prob=rand(2, 4, 5, seed=1),
            teacher_prob=rand(2, 4, 5, seed=2),
            box_target=rand(2, 4, 5, seed=3),
            num_iters=5,
            zeta=0.3,
            **LOSS_TAIL,
        ),
        lambda: dict(
            image=zeros(0, 3, 4, 5),
            student_prob=zeros(0, 4, 5),
            teacher_prob=zeros(0, 4, 5),
            box_target=zeros(0, 4, 5),
        ),
        [()],
    ),
    'ProjectionMILLoss': Case(
        module(losses.ProjectionMILLoss),
        lambda: dict(prob=rand(2, 4, 5), box_target=rand(2, 4, 5, seed=1), **LOSS_TAIL),
        lambda: dict(prob=zeros(0, 4, 5), box_target=zeros(0, 4, 5)),
        [()],
    ),
    'SampleLoss': Case(
        module(losses.SampleLoss, 'reduce'),
        lambda: dict(losses=rand(3), **LOSS_TAIL),
        lambda: dict(losses=zeros(0)),
        [()],
    ),
    'ScaleAwareMaskHead': Case(
        module(heads.ScaleAwareMaskHead),
        lambda: dict(
            features=rand(3, 4, 3, 2),
            areas=torch.tensor([50.0, 5e3, 5e4]),
            in_channels=4,
            feat_channels=2,
            vector_bias=0.5,
        ),
        lambda: dict(features=zeros(0, 4, 3, 2), areas=zeros(0)),
        [(0, 12, 8)],
    ),
    'ClassMapHead': Case(
        module(heads.ClassMapHead),
        lambda: dict(features=rand(2, 4, 3, 2), num_classes=3, in_channels=4),
        lambda: dict(features=zeros(0, 4, 3, 2)),
        [(0, 3)],
    ),
    'ClassMapHead.loss': Case(
        module(heads.ClassMapHead, 'loss'),
        lambda: dict(logits=rand(2, 3), tags=ints(2, 3), num_classes=3, in_channels=4),
        lambda: dict(logits=zeros(0, 3), tags=no_labels(0, 3)),
        [()],
    ),
    'PeakAttentionHead': Case(
        module(heads.PeakAttentionHead),
        lambda: dict(
            features=rand(2, 4, 3, 2),
            num_classes=3,
            in_channels=4,
            feat_channels=5,
            num_convs=3,
        ),
        lambda: dict(features=zeros(0, 4, 3, 2)),
        [(0, 3)],
    ),
    'PeakStimulationHead': Case(
        module(heads.PeakStimulationHead),
        lambda: dict(features=rand(2, 4, 3, 2), num_classes=3, in_channels=4),
        lambda: dict(features=zeros(0, 4, 3, 2)),
        [(0, 3)],
    ),
    'FCN8Head': fcn8_head(),
    'PixelHead': pixel_head(),
    'BoundaryHead': level_head(heads.BoundaryHead, 4),
    'DisplacementHead': level_head(heads.DisplacementHead, 4),
    'patchify': Case(
        patch_grid.patchify,
        lambda: dict(images=rand(2, 3, 4, 6), patch_size=2),
        lambda: dict(images=zeros(0, 3, 4, 6)),
        [(0, 6, 12)],
    ),
    'unpatchify': Case(
        patch_grid.unpatchify,
        lambda: dict(patches=rand(2, 6, 12), grid=(2, 3), patch_size=2),
        lambda: dict(patches=zeros(0, 6, 12)),
        [(0, 3, 4, 6)],
    ),
    'sincos_positions': Case(
        patch_grid.sincos_positions, lambda: dict(grid=(2, 3), dims=8)
    ),
}
