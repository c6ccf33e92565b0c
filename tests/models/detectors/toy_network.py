"""A network of two convolutions that learns from boxes and is the final model.

Pixels of a box are of its class; connected components of what it then finds are
instances. Imported by the tests' configs.
"""

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData, PixelData
from scipy import ndimage
from torch.nn import functional as F

from mmwsis.models.detectors import EndToEndDetector, fill_instances, fill_panoptic
from mmwsis.models.original_size import scores_at_original_size
from mmwsis.registry import MODELS


@MODELS.register_module(force=True)
class OneConvolution(BaseModule):
    def __init__(self, channels):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, channels, 3, padding=1)

    def forward(self, images):
        return (self.conv(images).relu(),)


@MODELS.register_module(force=True)
class BoxNetwork(EndToEndDetector):
    artifacts = ('instances', 'semantic_maps', 'panoptic_maps', 'points')
    test_defaults = dict(min_area=20, threshold=0.0)

    def __init__(self, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.classify = torch.nn.LazyConv2d(num_classes + 1, 1)
        self.classify(self.backbone(torch.zeros(1, 3, 4, 4))[0])

    def _forward(self, batch_inputs, batch_data_samples=None):
        return self.classify(self.extract_feat(batch_inputs)[-1])

    def loss(self, batch_inputs, batch_data_samples):
        logits = self._forward(batch_inputs)
        target = torch.zeros_like(logits[:, 0], dtype=torch.int64)
        for row, sample in zip(target, batch_data_samples):
            objects = sample.gt_instances
            assert 'masks' not in objects  # the leak guard
            for box, label in zip(objects.bboxes.round().int(), objects.labels):
                x0, y0, x1, y1 = box.tolist()
                row[y0:y1, x0:x1] = label + 1
        weight = logits.new_tensor([0.3] + [1.0] * self.num_classes)
        return dict(loss_pixels=F.cross_entropy(logits, target, weight))

    def predict_image(self, image, sample):
        prob = self._forward(image[None]).softmax(1)[0]
        prob = scores_at_original_size(prob, sample)
        prob[0] = prob[0].clamp(min=self.test_cfg['threshold'])
        found = prob.argmax(0)
        if self.artifact == 'semantic_maps':
            sample.pred_sem_seg = PixelData(sem_seg=found[None])
            return
        segments = torch.full_like(found, -1)
        labels, scores, masks = [], [], []
        for label in range(self.num_classes):
            components, count = ndimage.label((found == label + 1).cpu())
            components = torch.from_numpy(components)
            for number in range(1, count + 1):
                mask = components == number
                if mask.sum() >= self.test_cfg['min_area']:
                    segments[mask] = len(labels)
                    labels.append(label)
                    scores.append(prob[label + 1][mask].mean())
                    masks.append(mask)
        labels = torch.tensor(labels, dtype=torch.int64)
        scores = torch.tensor(scores)
        masks = torch.stack([*masks, torch.zeros_like(found, dtype=torch.bool)])[:-1]
        if self.artifact in (None, 'instances'):
            fill_instances(sample, labels, scores, masks)
        if self.artifact in (None, 'panoptic_maps'):
            fill_panoptic(sample, segments, labels, self.num_classes, self.num_classes)
        if self.artifact == 'points':
            centers = [mask.nonzero().float().mean(0).flip(0) for mask in masks]
            sample.pred_points = InstanceData(
                labels=labels,
                scores=scores,
                points=torch.stack([*centers, torch.zeros(2)])[:-1],
            )
