"""A WISE of a few channels, and samples for it."""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import BaseDataElement, InstanceData
from pycocotools import mask as coco_mask

from mmwsis.models.detectors import WISE
from mmwsis.ops import draw_pixel_groups
from mmwsis.structures.proposals import Proposals

SIZE = 48, 64
# Three objects of two classes: x0, y0, x1, y1 and label.
OBJECTS = ((6, 4, 22, 20, 0), (30, 24, 54, 44, 1), (40, 4, 60, 16, 0))


def toy(num_classes=2, **settings):
    head = dict(type='mmwsis.FCN8Head', in_channels=(16, 32, 64))
    torch.manual_seed(0)
    model = WISE(
        **{
            **dict(
                num_classes=num_classes,
                backbone=dict(
                    type='mmdet.ResNet',
                    depth=18,
                    num_stages=3,
                    base_channels=16,
                    stem_channels=8,
                    strides=(1, 2, 2),
                    dilations=(1, 1, 1),
                    out_indices=(0, 1, 2),
                    norm_cfg=dict(type='BN', requires_grad=False),
                    norm_eval=True,
                    zero_init_residual=False,
                ),
                localization_head=head,
                embedding_head=head,
                embed_dims=8,
                loss_localization=dict(type='mmwsis.LCFCNLoss'),
                loss_embedding=dict(type='mmwsis.PixelEmbeddingLoss'),
            ),
            **settings,
        }
    )
    model.init_weights()
    return model.train()  # as a runner does: batch norms stay frozen


def box_masks(objects=OBJECTS, size=SIZE):
    masks = np.zeros((len(objects), *size), bool)
    for mask, (x0, y0, x1, y1, _) in zip(masks, objects):
        mask[y0:y1, x0:x1] = True
    return masks


def box_proposals(objects=OBJECTS, size=SIZE):
    """Each object, less good, and a bit larger, better."""
    masks = box_masks(objects, size)
    grown = [(x0 - 3, y0 - 3, x1, y1, label) for x0, y0, x1, y1, label in objects]
    larger = box_masks(grown, size)
    stack = np.concatenate([larger, masks]) if len(masks) else masks
    rles = coco_mask.encode(np.asfortranarray(stack.transpose(1, 2, 0), np.uint8))
    scores = [0.9] * len(masks) + [0.6] * len(masks)
    return Proposals(rles, np.array(scores), size)


def training_sample(objects=OBJECTS, size=SIZE, img_id=1, seed=0):
    """What the data pipeline packs of an image."""
    sample = DetDataSample(
        metainfo=dict(
            img_id=img_id, img_shape=size, ori_shape=size, supervision='points'
        )
    )
    points = np.array([(x0 + 5, y0 + 5) for x0, y0, *_ in objects]).reshape(-1, 2)
    labels = torch.tensor([one[4] for one in objects], dtype=torch.int64)
    sample.gt_instances = InstanceData(
        points=torch.from_numpy(points).float(), labels=labels
    )
    proposals = box_proposals(objects, size)
    groups = draw_pixel_groups(points, proposals, np.random.default_rng(seed))
    entries = {key: torch.from_numpy(value) for key, value in groups._asdict().items()}
    sample.gt_pixel_groups = BaseDataElement(**entries)
    sample.mask_proposals = proposals
    return sample


def evaluation_sample(objects=OBJECTS, size=SIZE, img_id=1):
    """The same for an image with masks."""
    sample = training_sample(objects, size, img_id)
    del sample.gt_pixel_groups
    sample.set_metainfo(dict(supervision='masks'))
    masks = box_masks(objects, size).astype(np.uint8)
    sample.gt_instances = InstanceData(
        labels=sample.gt_instances.labels, masks=BitmapMasks(masks, *size)
    )
    return sample


def place_blobs(model, monkeypatch, pixels, size=SIZE):
    """Let L-Net find a blob of 3x3 pixels at each (x, y, label)."""
    channels = model.num_classes + 1
    logits = torch.zeros(1, channels, *size)
    logits[:, 0] = 1
    for x, y, label in pixels:
        logits[0, label + 1, y - 1 : y + 2, x - 1 : x + 2] = 2
        logits[0, label + 1, y, x] = 3
    monkeypatch.setattr(model.localization_head, 'forward', lambda *_: logits)


def place_embeddings(model, monkeypatch, objects=OBJECTS, size=SIZE):
    """Let E-Net give each object an embedding of its own, the background another."""
    maps = torch.zeros(1, 8, *size)
    for number, mask in enumerate(box_masks(objects, size)):
        maps[0, number + 1, torch.from_numpy(mask)] = 4
    monkeypatch.setattr(model.embedding_head, 'stride8', lambda _: maps)
