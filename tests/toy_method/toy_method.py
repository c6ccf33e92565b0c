"""A method in two small models: points in, better points in rounds, instances out.

Imported by the configs beside it; docs/new_method.md goes through them.
"""

import os
import signal
from pathlib import Path

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import nn
from torch.nn import functional as F

from mmwsis.models.detectors import EndToEndDetector, fill_instances
from mmwsis.models.labelers import WeightFreeLabeler
from mmwsis.models.original_size import (
    points_at_original_size,
    scores_at_original_size,
)
from mmwsis.ops import connected_components, draw_centers, find_peaks
from mmwsis.registry import MODELS

# Once there is this file, a process kills itself in the middle of its work.
KILL_WITH = 'MMWSIS_TEST_KILL_WITH'


def die_at(step, last):
    if step == last and Path(os.environ.get(KILL_WITH, 'no such file')).exists():
        os.kill(os.getpid(), signal.SIGKILL)


@MODELS.register_module(force=True)
class SimilarPixels(WeightFreeLabeler):
    """The pixels around a point that look like it.

    As points: their centroid, which is the next round's point. As instances: they.
    """

    artifacts = ('points', 'instances')
    test_defaults = dict(tolerance=40.0, radius=12)
    seen = 0

    def label(self, image, sample):
        self.seen += 1
        die_at(self.seen, 3)
        cues = sample.gt_instances
        masks = torch.zeros(len(cues), *image.shape[1:], dtype=torch.bool)
        centers = torch.zeros(len(cues), 2)
        for row, point in enumerate(cues.points.round().long()):
            masks[row] = self.around(image.float(), point)
            centers[row] = masks[row].nonzero().float().mean(0).flip(0)
        scores = masks.float().mean((1, 2)).sqrt()
        if self.artifact == 'instances':
            fill_instances(sample, cues.labels, scores, masks)
        else:
            sample.pred_points = InstanceData(
                labels=cues.labels, points=centers, scores=scores
            )

    def around(self, image, point):
        x, y = point.tolist()
        apart = (image - image[:, y : y + 1, x : x + 1]).abs().amax(0)
        near = torch.zeros_like(apart, dtype=torch.bool)
        r = self.test_cfg['radius']
        near[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1] = True
        similar = near & (apart < self.test_cfg['tolerance'])
        parts = connected_components(similar).labels
        return parts == parts[y, x]


@MODELS.register_module(force=True)
class TwoConvolutions(BaseModule):
    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, channels, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 5, padding=2),
            nn.ReLU(),
        )

    def forward(self, images):
        return (self.layers(images),)


@MODELS.register_module(force=True)
class PointNetwork(EndToEndDetector):
    """Learns a map of centres from points; is labeler and final model."""

    artifacts = ('points', 'instances')
    test_defaults = dict(min_score=0.4, kernel_size=15)
    seen = 0

    def __init__(self, num_classes, sigma=4.0, channels=8, **kwargs):
        super().__init__(**kwargs)
        self.sigma = sigma
        self.centers = nn.Conv2d(channels, num_classes, 1)

    def _forward(self, batch_inputs, batch_data_samples=None):
        return self.centers(self.extract_feat(batch_inputs)[-1]).sigmoid()

    def loss(self, batch_inputs, batch_data_samples):
        self.seen += 1
        die_at(self.seen, 13)
        maps = self._forward(batch_inputs)
        targets = []
        for sample in batch_data_samples:
            cues = sample.gt_instances
            assert not {'masks', 'bboxes'} & set(cues.keys())  # the leak guard
            targets.append(
                draw_centers(
                    *(
                        cues.points.round().long(),
                        cues.labels,
                        maps.shape[1],
                        maps.shape[2:],
                    ),
                    sigma=self.sigma,
                )
            )
        target = torch.stack(targets).to(maps)
        return dict(
            loss_centers=(
                F.mse_loss(maps, target, reduction='none') * (1 + 20 * target)
            ).mean()
        )

    def predict_image(self, image, sample):
        maps = self._forward(image[None])[0]
        peaks = find_peaks(
            maps,
            kernel_size=self.test_cfg['kernel_size'],
            min_score=self.test_cfg['min_score'],
            max_per_class=20,
        )
        if self.artifact == 'points':
            points = points_at_original_size(peaks.points.float(), sample)
            sample.pred_points = InstanceData(
                labels=peaks.labels, points=points, scores=peaks.scores
            )
            return
        maps = scores_at_original_size(maps, sample)
        masks = maps[peaks.labels] > 0.5 * peaks.scores[:, None, None]
        fill_instances(sample, peaks.labels, peaks.scores, masks)
