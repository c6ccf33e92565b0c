"""Images of predictions and objects as arrays, for the tests of AP of masks."""

import numpy as np

from mmwsis.evaluation.instance_ground_truth import ImageObjects
from mmwsis.evaluation.instance_matching import match_image
from mmwsis.evaluation.instance_tables import instance_tables
from mmwsis.evaluation.mask_bits import pack_masks
from mmwsis.evaluation.predicted_instances import PredictedInstances


class Scene:
    """One image: predictions and objects as arrays."""

    def __init__(self, pred, labels, scores, gt, gt_labels, void=None, crowd=None):
        self.pred, self.gt = np.asarray(pred, bool), np.asarray(gt, bool)
        self.labels, self.gt_labels = (
            np.asarray(labels, int),
            np.asarray(gt_labels, int),
        )
        self.scores = np.asarray(scores, float)
        self.void = None if void is None else np.asarray(void, bool)
        self.crowd = np.zeros(len(gt), bool) if crowd is None else np.asarray(crowd)

    def match(self, rules='voc', min_region=100):
        size = (*self.pred.shape, *self.gt.shape)[-2:]
        void = None if self.void is None else pack_masks(self.void[None], size)
        return match_image(
            PredictedInstances(pack_masks(self.pred, size), self.labels, self.scores),
            ImageObjects(pack_masks(self.gt, size), self.gt_labels, self.crowd, void),
            rules,
            min_region,
        )


def tables(scenes, num_classes, rules='voc', min_region=100, **kwargs):
    matches = [scene.match(rules, min_region) for scene in scenes]
    return instance_tables(matches, num_classes, rules=rules, **kwargs)
