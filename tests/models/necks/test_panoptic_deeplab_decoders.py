import pytest
import torch
from torch import nn

from mmwsis.models.heads import PixelHead
from mmwsis.models.necks import PanopticDeepLabDecoders

SMALL = dict(
    in_channels=(4, 6, 8),
    semantic=dict(channels=12, low_channels=(2, 3)),
    instance=dict(channels=10, low_channels=(1, 2)),
    aspp_channels=14,
)
SIZES = (17, 23), (9, 12), (5, 6)


def levels(batch=2, widths=(4, 6, 8)):
    return [torch.rand(batch, width, *size) for width, size in zip(widths, SIZES)]


def test_two_features_of_the_finest_size_from_levels_of_any_size():
    semantic, instance = PanopticDeepLabDecoders(**SMALL)(levels())
    assert semantic.shape == (2, 12, 17, 23)
    assert instance.shape == (2, 10, 17, 23)


def test_one_image_trains():
    """The branch of the whole image has one value per channel: nothing to normalise."""
    neck = PanopticDeepLabDecoders(**SMALL)
    sum(features.sum() for features in neck(levels(1))).backward()
    assert all(one.grad is not None for one in neck.parameters())


def test_every_convolution_starts_from_the_same_normal_distribution():
    neck = PanopticDeepLabDecoders(
        (64, 128),
        semantic=dict(channels=64, low_channels=(32,)),
        instance=dict(channels=64, low_channels=(32,)),
        init_std=0.01,
    )
    head = PixelHead(64, 40, 64, 5, True, dict(type='BN'), init_bias=None)
    for module, std in ((neck, 0.01), (head, 0.001)):
        module.init_weights()
        for part in module.modules():
            if isinstance(part, nn.Conv2d):
                assert part.weight.std().item() == pytest.approx(std, rel=0.2)
            elif isinstance(part, nn.BatchNorm2d):
                assert (part.weight == 1).all() and (part.bias == 0).all()
    assert head.predict.bias.abs().max() > 0.05  # PyTorch's own
    head = PixelHead(64, 40, 64)
    head.init_weights()
    assert not head.predict.bias.any() and not head.conv.conv.bias.any()


def test_batch_normalisation_and_dropout_are_the_given_ones():
    neck = PanopticDeepLabDecoders(**SMALL, dropout=0.25)
    norms = [m for m in neck.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.01}
    drops = [m for m in neck.modules() if isinstance(m, nn.Dropout)]
    assert [drop.p for drop in drops] == [0.25, 0.25]


def test_other_levels_are_refused():
    neck = PanopticDeepLabDecoders(**SMALL)
    with pytest.raises(ValueError, match='expected 3 levels, got 2'):
        neck(levels()[:2])
    with pytest.raises(ValueError, match=r'levels\[1\]: expected shape \(B, 6, h, w\)'):
        neck(levels(widths=(4, 5, 8)))
    with pytest.raises(ValueError, match='low_channels: expected 2 entries'):
        PanopticDeepLabDecoders((4, 6, 8))
    with pytest.raises(ValueError, match=r'features: expected shape \(B, 4, h, w\)'):
        PixelHead(4, 2)((torch.zeros(1, 5, 2, 2),))
    with pytest.raises(ValueError, match='out_channels'):
        PixelHead(4, 0)
