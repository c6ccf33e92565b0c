"""VGG16 of stride 8 with torchvision's names."""

import pytest
import torch
from mmcv.cnn import VGG
from torch import nn

from mmwsis.models.backbones import DilatedVGG
from mmwsis.models.layers import PeakAttention


def test_layers_of_the_paper():
    backbone = DilatedVGG()
    # The places of torchvision's VGG16 'D'.
    convs = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    found = [
        index for index, m in enumerate(backbone.features) if isinstance(m, nn.Conv2d)
    ]
    assert found == convs and len(backbone.features) == 30
    dilated = [i for i in convs if backbone.features[i].dilation == (2, 2)]
    assert dilated == [24, 26, 28]
    pools = {
        index: (m.kernel_size, m.stride, m.padding)
        for index, m in enumerate(backbone.features)
        if isinstance(m, nn.MaxPool2d)
    }
    assert pools == {4: (2, 2, 0), 9: (2, 2, 0), 16: (2, 2, 0), 23: (3, 1, 1)}
    assert sum(p.numel() for p in backbone.parameters()) == 14_714_688


def test_stride_8_and_gradients():
    backbone = DilatedVGG(11, frozen_stages=1)
    backbone.train()
    (level,) = backbone(torch.rand(1, 3, 41, 56))
    assert level.shape == (1, 512, 5, 7)
    level.sum().backward()
    for name, value in backbone.named_parameters():
        assert (value.grad is None) == name.startswith('features.0.'), name


def test_weights_of_torchvision_load(tmp_path):
    """Its file has the fully-connected layers, too, which are left out."""
    published = VGG(11).features.state_dict(prefix='features.')
    published['classifier.0.weight'] = torch.ones(2, 2)
    torch.save(published, tmp_path / 'vgg11.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'vgg11.pth'))
    backbone = DilatedVGG(11, init_cfg=init_cfg)
    backbone.init_weights()
    assert len(backbone.state_dict()) == 16
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, published[name]), name


def test_peak_attention_in_any_stage():
    cfg = dict(type='mmwsis.PeakAttention', alpha=0.7)
    backbone = DilatedVGG(11, act_cfgs=(None, None, None, cfg, cfg))
    places = [i for i, m in enumerate(backbone.features) if type(m) is PeakAttention]
    assert places == [12, 14, 17, 19]
    assert type(backbone.features[1]) is nn.ReLU


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(pool_strides=(2, 2, 2)), 'four numbers, each 1 or 2'),
        (dict(pool_strides=(2, 2, 2, 3)), r'got \(2, 2, 2, 3\)'),
        (dict(act_cfgs=[None]), 'one for each of five stages; got 1'),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        DilatedVGG(11, **settings)
