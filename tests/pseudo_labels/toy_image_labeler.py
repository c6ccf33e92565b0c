"""A labeler of whole images, trained with tags only; imported by the tests' configs.

A linear classifier of the brightest response of every class. Its class maps are the
responses, its points their two highest pixels, its semantic map their argmax, its
instances the connected components of it. It inherits nothing of mmwsis.
"""

import os
import signal

import cv2
import numpy as np
import torch
from mmdet.structures.mask import mask2bbox
from mmengine.model import BaseModel
from mmengine.structures import InstanceData, PixelData
from torch.nn import functional as F

from mmwsis.registry import MODELS

KILL_AFTER = 'MMWSIS_TEST_KILL_AFTER'  # batches until the process kills itself


@MODELS.register_module()
class ToyImageLabeler(BaseModel):
    artifact = None
    unused_in_prediction = ('not_needed.',)

    def __init__(self, num_classes, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.conv = torch.nn.Conv2d(3, num_classes, 1)
        self.not_needed = torch.nn.Linear(2, 2)
        torch.nn.init.zeros_(self.conv.weight)
        torch.nn.init.zeros_(self.conv.bias)
        self.batches = 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        responses = self.conv(inputs)
        if mode == 'loss':
            targets = torch.stack([sample.gt_tags for sample in data_samples])
            logits = responses.flatten(2).topk(20).values.mean(-1)
            return dict(loss=F.binary_cross_entropy_with_logits(logits, targets))
        if mode == 'predict':
            return self.predict(responses, data_samples)
        return responses

    def predict(self, responses, data_samples):
        self.batches += 1
        if self.batches > int(os.environ.get(KILL_AFTER, 10**6)):
            os.kill(os.getpid(), signal.SIGKILL)
        for sample, response in zip(data_samples, responses):
            height, width = sample.ori_shape
            labels = torch.tensor(sample.tags, dtype=torch.int64)
            maps = response[labels, :height, :width].sigmoid()
            if self.artifact == 'class_maps':
                coarse = maps[:, ::4, ::4]
                sample.pred_class_maps = InstanceData(
                    labels=labels, cam=coarse, high_res=maps
                )
                continue
            if self.artifact == 'points':
                sample.pred_points = self.peaks(maps, labels)
                continue
            scores = torch.cat([torch.full((1, height, width), 0.5), maps])
            index = torch.cat([torch.zeros(1, dtype=torch.int64), labels + 1])
            sem_seg = index[scores.argmax(0)]
            if self.artifact == 'semantic_maps':
                sample.pred_sem_seg = PixelData(sem_seg=sem_seg[None])
            else:
                sample.pred_instances = self.components(sem_seg.numpy(), maps, labels)
        return data_samples

    def peaks(self, maps, labels):
        values, places = maps.flatten(1).topk(2)
        rows, columns = places // maps.shape[-1], places % maps.shape[-1]
        return InstanceData(
            labels=labels.repeat_interleave(2),
            points=torch.stack([columns, rows], -1).reshape(-1, 2).float(),
            scores=values.flatten(),
        )

    def components(self, sem_seg, maps, labels):
        masks, found, scores = [], [], []
        for row, label in enumerate(labels.tolist()):
            count, components = cv2.connectedComponents(
                (sem_seg == label + 1).astype(np.uint8), connectivity=4
            )
            for number in range(1, count):
                masks.append(components == number)
                found.append(label)
                scores.append(float(maps[row].numpy()[components == number].max()))
        shape = (0, *sem_seg.shape)
        stacked = np.stack(masks) if masks else np.zeros(shape, bool)
        return InstanceData(
            labels=torch.tensor(found, dtype=torch.int64),
            scores=torch.tensor(scores),
            masks=torch.from_numpy(stacked),
            bboxes=mask2bbox(torch.from_numpy(stacked)),
        )
