"""Output sizes, dilation, freezing and refusals."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch.nn.modules.batchnorm import _BatchNorm

from mmwsis.models.backbones import EfficientNetLite
from mmwsis.models.backbones.efficientnet_lite import ARCHS, scaled_stages

CONFIGS = Path(__file__).parents[3] / 'configs/final_models'


@pytest.fixture(scope='module')
def images():
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def build(**kwargs):
    """A network whose statistics and weights are not those of a fresh one."""
    torch.manual_seed(0)
    backbone = EfficientNetLite(**kwargs)
    for module in backbone.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return backbone.eval()


@torch.no_grad()
def test_levels(images):
    backbone = build(out_indices=(0, 1, 2, 3, 4, 5))
    levels = backbone(images)
    assert backbone.out_channels == (16, 24, 40, 112, 320, 1280)
    assert tuple(level.shape[1] for level in levels) == backbone.out_channels
    assert all(level.is_contiguous() for level in levels)
    sizes = [tuple(level.shape[2:]) for level in levels]
    assert sizes == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3), (2, 3)]
    odd = backbone(images[:, :, :33, :47])[3]
    assert odd.shape[2:] == (3, 3)  # rounded up at each stride


@pytest.mark.parametrize('name', ['mask-rcnn', 'panoptic-fpn'])
@torch.no_grad()
def test_regions_are_read_where_they_are(images, name):
    config = Config.fromfile(CONFIGS / f'{name}_efficientnet-lite0_small.py')
    config.model.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config.model).eval()
    maps = model.extract_feat(images)[:4]
    boxes = torch.tensor([[0, 8, 8, 40.0, 40], [1, 30, 4, 60, 44]])
    read = model.roi_head.bbox_roi_extractor
    # MMCV's RoIAlign takes memory as it lies: of channels last it read other places.
    copies = [level.contiguous(memory_format=torch.contiguous_format) for level in maps]
    assert torch.equal(read(maps, boxes), read(copies, boxes))


def test_unused_layers_are_not_built(images):
    backbone = build(out_indices=(1, 2))
    assert len(backbone.stages) == 3 and backbone.head is None
    whole = build(out_indices=(1, 2, 4))
    whole.load_state_dict(backbone.state_dict(), strict=False)
    with torch.no_grad():
        for part, same in zip(backbone(images), whole(images)[:2], strict=True):
            assert torch.equal(part, same)


@pytest.mark.parametrize(
    'settings, last, step, start',
    [
        (dict(strides=(1, 2, 2, 2, 1), dilations=(1, 1, 1, 1, 2)), 16, 2, 1),
        (dict(strides=(1, 2, 2, 1, 1), dilations=(1, 1, 1, 2, 4)), 8, 4, 3),
    ],
)
@torch.no_grad()
def test_dilation_adds_values_between_the_same(images, settings, last, step, start):
    sparse, dense = build(), build(**settings)
    coarse, fine = sparse(images)[-1], dense(images)[-1]
    assert fine.shape[2:] == (64 // last, 96 // last)
    # A stride of 2 on an even side is centred on odd positions.
    same = fine[:, :, start::step, start::step]
    torch.testing.assert_close(same, coarse, atol=1e-5, rtol=1e-5)
    # Not so in another place, nor without dilation.
    assert (fine[:, :, ::step, ::step] - coarse).abs().max() > 1e-3
    narrow = build(**{**settings, 'dilations': (1,) * 5})(images)[-1]
    assert (narrow[:, :, start::step, start::step] - coarse).abs().max() > 1e-3


@torch.no_grad()
def test_random_start_keeps_the_signal(images):
    backbone = EfficientNetLite().eval()
    backbone.init_weights()
    assert all(0.1 < level.std() < 10 for level in backbone(images))


@torch.no_grad()
def test_dilation_on_an_odd_map(images):
    # 48 wide: 3 at stride 16, where the stride is centred on even positions.
    settings = dict(strides=(1, 2, 2, 2, 1), dilations=(1, 1, 1, 1, 2))
    coarse, fine = (net(images[..., :48])[-1] for net in (build(), build(**settings)))
    torch.testing.assert_close(fine[:, :, 1::2, ::2], coarse, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('frozen', [-1, 0, 2, 5])
def test_frozen_stages(images, frozen):
    backbone = EfficientNetLite(frozen_stages=frozen, out_indices=(1, 4, 5)).train()
    before = {name: value.clone() for name, value in backbone.named_buffers()}
    sum(level.mean() for level in backbone(images)).backward()
    for index, part in enumerate((backbone.stem, *backbone.stages)):
        still = index <= frozen
        assert part.training is not still
        for parameter in part.parameters():
            assert (parameter.grad is None) is still
    assert all(parameter.grad is not None for parameter in backbone.head.parameters())
    changed = {k for k, v in backbone.named_buffers() if not torch.equal(v, before[k])}
    assert any(name.startswith('stem') for name in changed) is (frozen < 0)
    assert any(name.startswith('stages.4') for name in changed) is (frozen < 5)


def test_norm_eval_keeps_statistics(images):
    backbone = EfficientNetLite(norm_eval=True).train()
    before = {name: value.clone() for name, value in backbone.named_buffers()}
    backbone(images)
    for name, value in backbone.named_buffers():
        assert torch.equal(value, before[name])
    assert backbone.training and backbone.stem.bn.weight.requires_grad


@pytest.mark.filterwarnings('ignore:.*use_reentrant')
def test_with_cp_changes_nothing_but_memory(images):
    results = []
    for with_cp in (False, True):
        backbone = build(out_indices=(1,), with_cp=with_cp).train()
        loss = sum(level.mean() for level in backbone(images))
        loss.backward()
        results.append((loss, backbone.stages[1][0].expand_conv.conv.weight.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(arch='lite5'), "arch must be one of .* got 'lite5'"),
        (dict(out_indices=(2, 1)), 'increasing order'),
        (dict(out_indices=()), 'out_indices must be'),
        (dict(out_indices=(1, 6)), 'from 0 to 5'),
        (dict(strides=(2, 2, 2)), 'strides must be 5 positive numbers'),
        (dict(strides=(1, 2, 2, 2, 4)), 'strides must be 1 or 2'),
        (dict(dilations=(1, 1, 1, 1, 0)), 'dilations must be 5 positive numbers'),
        (dict(frozen_stages=6), 'frozen_stages must be from -1 to 5; got 6'),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        EfficientNetLite(**settings)


def test_sizes_of_the_family():
    counts = []
    for arch in ARCHS:
        with torch.device('meta'):
            backbone = EfficientNetLite(arch, out_indices=(5,))
        counts.append(sum(parameter.numel() for parameter in backbone.parameters()))
    # Of the published networks, without their classifiers.
    assert counts == [3371008, 4135680, 4811072, 6916096, 11725568]
    assert [len(stage) for stage in scaled_stages('lite0')] == [1, 1, 1, 2, 2]
