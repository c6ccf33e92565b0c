"""A panoptic model without weights, which knows the toy scenes by their colours."""

import cv2
import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.structures import InstanceData, PixelData
from toy_scenes import COLORS

from mmwsis.registry import MODELS

STUFF = 'pool'


@MODELS.register_module()
class ToyPanopticLabeler(BaseModel):
    """Things are the components of their colour, stuff is one region."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        for sample, image in zip(data_samples, inputs, strict=True):
            height, width = sample.ori_shape
            pixels = image[:, :height, :width].permute(1, 2, 0).numpy()
            codes, scores = panoptic_codes(pixels)
            sample.pred_panoptic_seg = PixelData(sem_seg=torch.from_numpy(codes[None]))
            sample.pred_segments = InstanceData(
                codes=torch.tensor([*scores], dtype=torch.int64),
                scores=torch.tensor([*scores.values()]),
            )
        return data_samples


def panoptic_codes(pixels):
    codes = np.full(pixels.shape[:2], len(COLORS), np.int64)
    scores = {}
    for label, (name, color) in enumerate(COLORS.items()):
        mask = (pixels == color).all(-1)
        count, components = cv2.connectedComponents(mask.astype(np.uint8))
        for number in range(1, count):
            code = label + 1000 * number * (name != STUFF)
            codes[components == number] = code
            scores[code] = round(0.9 - 0.1 * number, 6)
    return codes, scores
