"""A labeler that calls bright pixels foreground; imported by the tests' configs.

Its logits also depend on the other crops of the batch, so that a batch put together in
another way shows in the result.
"""

import os
import signal

import torch
from mmengine.model import BaseModel
from torch.nn import functional as F

from mmwsis.ops import crop_mask_patches, encode_patch
from mmwsis.registry import MODELS

KILL_AFTER = 'MMWSIS_TEST_KILL_AFTER'  # batches until the process kills itself


@MODELS.register_module()
class BrightnessLabeler(BaseModel):
    fail_after = None  # batches until a failure that no code expects

    def __init__(self, test_cfg=None):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(12.0))
        self.test_cfg, self.batches = dict(test_cfg or {}), 0

    def test_step(self, data):
        self.batches += 1
        if self.batches > int(os.environ.get(KILL_AFTER, 10**6)):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fail_after is not None and self.batches > self.fail_after:
            raise KeyboardInterrupt
        samples = data['data_samples']
        images = torch.stack(data['inputs']['image']).float().mean(1) / 255
        logits = F.interpolate(images[:, None], (8, 8), mode='area')[:, 0] - 0.5
        logits = self.gain * (logits + 0.01 * images.mean())
        sizes = [(sample.height, sample.width) for sample in samples]
        patches = crop_mask_patches(
            logits,
            torch.stack([sample.box_mask for sample in samples]),
            [sample.crop_box for sample in samples],
            sizes,
            [sample.area for sample in samples],
            self.test_cfg.get('mask_thr', (0.1, 0.1, 0.1)),
        )
        for sample, patch, size in zip(samples, patches, sizes):
            rle = encode_patch(patch.mask, patch.x, patch.y, size)
            sample.set_metainfo(
                dict(
                    pred_mask=rle,
                    pred_score=patch.score,
                    empty_prediction=not patch.mask.any(),
                )
            )
        return samples

    def forward(self, *args, **kwargs):
        raise NotImplementedError
