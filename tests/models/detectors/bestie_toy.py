"""A BESTIE of a few channels, and samples for it."""

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from mmwsis.models.detectors import BESTIE
from mmwsis.ops import center_targets

REFINEMENT = dict(threshold=0.3, kernel_size=41, beta=3.0, min_area=50, max_instances=5)


def toy(num_classes=2, **settings):
    head = dict(type='mmwsis.PixelHead', in_channels=16, feat_channels=8)
    torch.manual_seed(0)
    model = BESTIE(
        **{
            **dict(
                num_classes=num_classes,
                backbone=dict(
                    type='mmdet.ResNet',
                    depth=18,
                    num_stages=1,
                    base_channels=16,
                    stem_channels=8,
                    strides=(1,),
                    dilations=(1,),
                    out_indices=(0,),
                ),
                seg_head=head,
                center_head=head,
                offset_head=head,
                loss_seg=dict(type='mmwsis.HardPixelCrossEntropy'),
                loss_center=dict(type='mmwsis.CenterLoss', loss_weight=200.0),
                loss_offset=dict(type='mmwsis.OffsetLoss', loss_weight=0.01),
                refinement=REFINEMENT,
            ),
            **settings,
        }
    )
    model.init_weights()
    return model


def training_sample(semantic_map, points, labels, tags, from_points=False, img_id=1):
    """What the data pipeline packs of one crop."""
    sample = DetDataSample(
        metainfo=dict(
            img_id=img_id,
            img_shape=tuple(semantic_map.shape),
            ori_shape=tuple(semantic_map.shape),
        )
    )
    targets = center_targets(
        *(semantic_map, points, labels, tags),
        centers_from='points' if from_points else 'components',
    )
    sample.gt_sem_seg = PixelData(sem_seg=semantic_map[None])
    sample.gt_center_targets = PixelData(**targets._asdict())
    sample.gt_instances = InstanceData(points=points.float(), labels=labels)
    sample.gt_tags = tags.float()
    return sample


def two_squares(img_id=1, from_points=False):
    """A crop with one square of each class and a cue on each."""
    semantic_map = torch.zeros(48, 64, dtype=torch.int64)
    semantic_map[4:20, 6:22], semantic_map[24:44, 30:54] = 1, 2
    points, labels = torch.tensor([[10, 10], [40, 30]]), torch.tensor([0, 1])
    tags = torch.tensor([True, True])
    return training_sample(semantic_map, points, labels, tags, from_points, img_id)
