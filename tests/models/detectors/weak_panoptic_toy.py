"""A WeakPanoptic of a few channels, and samples for it."""

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from mmwsis.models.detectors import WeakPanoptic

SIZE = 40, 56
# Two things (0 and 1) and two stuff classes (2 and 3): objects x0, y0, x1, y1, label.
OBJECTS = ((4, 6, 20, 22, 0), (24, 10, 44, 30, 1), (46, 4, 54, 20, 1))
MEAN, STD = [110.0, 120, 130], [60.0, 50, 40]


def loss_decode(weight=1.0):
    return dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True, loss_weight=weight)


def toy(instances=True, **settings):
    torch.manual_seed(0)
    norm_cfg = dict(type='BN', requires_grad=True)
    model = WeakPanoptic(
        **{
            **dict(
                num_things_classes=2,
                num_stuff_classes=2,
                data_preprocessor=dict(
                    type='mmwsis.WeakDataPreprocessor',
                    mean=MEAN,
                    std=STD,
                    bgr_to_rgb=True,
                    pad_seg=True,
                    seg_pad_value=255,
                ),
                backbone=dict(
                    type='mmdet.ResNet',
                    depth=18,
                    num_stages=3,
                    base_channels=8,
                    stem_channels=8,
                    strides=(1, 2, 1),
                    dilations=(1, 1, 2),
                    out_indices=(1, 2),
                    norm_cfg=norm_cfg,
                    zero_init_residual=False,
                ),
                decode_head=dict(
                    type='mmseg.PSPHead',
                    in_channels=32,
                    in_index=1,
                    channels=8,
                    pool_scales=(1, 2),
                    dropout_ratio=0,
                    norm_cfg=norm_cfg,
                    loss_decode=loss_decode(),
                ),
                auxiliary_head=dict(
                    type='mmseg.FCNHead',
                    in_channels=16,
                    in_index=0,
                    channels=8,
                    num_convs=1,
                    concat_input=False,
                    dropout_ratio=0,
                    norm_cfg=norm_cfg,
                    loss_decode=loss_decode(0.4),
                ),
                # Narrower kernels than those of images of a usual size.
                instance_head=dict(
                    type='mmwsis.InstanceCRFHead',
                    num_iters=2,
                    position=dict(sxy=1),
                    colour=dict(sxy=3, srgb=20),
                )
                if instances
                else None,
            ),
            **settings,
        }
    )
    model.init_weights()
    return model.train()


def truth(objects=OBJECTS, size=SIZE):
    """Labels and segments (H, W): sky above grass, with objects in front."""
    labels = torch.full(size, 2, dtype=torch.uint8)
    labels[size[0] // 2 :] = 3
    numbers = (labels - 1).int()
    labels[:2], numbers[:2] = 255, -1  # where nothing is known
    for number, (x0, y0, x1, y1, label) in enumerate(objects, start=3):
        labels[y0:y1, x0:x1], numbers[y0:y1, x0:x1] = label, number
    return labels, numbers


def training_sample(objects=OBJECTS, size=SIZE, img_id=1, detected=None):
    """What the data pipeline packs of an image."""
    sample = DetDataSample(metainfo=dict(img_id=img_id, img_shape=size, ori_shape=size))
    labels, numbers = truth(objects, size)
    sample.gt_sem_seg = PixelData(sem_seg=labels[None])
    sample.gt_panoptic_seg = PixelData(instance_map=numbers[None])
    return with_detections(sample, objects if detected is None else detected)


def with_detections(sample, objects, score=0.9):
    boxes = torch.tensor([one[:4] for one in objects], dtype=torch.float32)
    sample.detections = InstanceData(
        bboxes=boxes.view(-1, 4),
        labels=torch.tensor([one[4] for one in objects], dtype=torch.int64),
        scores=torch.full((len(objects),), score),
    )
    return sample


def image_of(size=SIZE, seed=0):
    """Objects of other colours than what is behind them, normalised."""
    labels, _ = truth(size=size)
    colours = torch.tensor(
        [[200, 30, 30], [30, 30, 200], [90, 160, 220], [60, 140, 60]]
    )
    image = colours[labels.long().clamp(max=3)].permute(2, 0, 1).float()
    noise = torch.rand(3, *size, generator=torch.Generator().manual_seed(seed))
    mean, std = (torch.tensor(value)[:, None, None] for value in (MEAN, STD))
    return (image + 10 * noise - mean) / std


def place_probs(model, size=SIZE, sure=4.0):
    """Make the semantic network right, so that the rest can be looked at."""
    labels, _ = truth(size=size)
    logits = sure * torch.eye(4)[labels.long().clamp(max=3)].permute(2, 0, 1)
    model.decode_head.forward = lambda features: logits[None].clone()
    return logits.softmax(0)
