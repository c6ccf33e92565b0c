"""Peak attention as an activation of other projects' modules."""

import torch
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS as MMDET_MODELS
from mmengine.registry import MODELS

from mmwsis.models.layers import PeakAttention

CFG = dict(type='mmwsis.PeakAttention', alpha=0.4)


def test_modules_of_mmcv_and_mmdetection_take_it():
    conv = ConvModule(3, 4, 3, padding=1, act_cfg=CFG)
    relu = ConvModule(3, 4, 3, padding=1)
    relu.load_state_dict(conv.state_dict())  # it has no parameters
    images = torch.randn(2, 3, 8, 8)
    out, full = conv(images), relu(images)
    low = full < 0.4 * full.amax((2, 3), keepdim=True)
    assert torch.equal(out, full.masked_fill(low, 0)) and low.any()
    for registry in (MODELS, MMDET_MODELS):
        assert isinstance(registry.build(CFG), PeakAttention)
    backbone = MMDET_MODELS.build(
        dict(type='CSPDarknet', widen_factor=0.125, deepen_factor=0.33, act_cfg=CFG)
    )
    found = [m for m in backbone.modules() if isinstance(m, PeakAttention)]
    assert len(found) > 10 and {m.alpha for m in found} == {0.4}
    backbone(torch.rand(1, 3, 64, 64))[-1].sum().backward()
