"""Boundary and displacement heads of IRNet against the released network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.backbones import StemLevelResNet
from mmwsis.models.heads import BoundaryHead, DisplacementHead

GOLDEN = Path(__file__).parents[2] / 'golden/irnet'


def golden_levels(case):
    levels = []
    for i, shape in enumerate(case['in_shapes']):
        flat = np.arange(np.prod(shape), dtype=np.float64)
        values = np.sin(0.37 * flat * (i + 1) + float(case['phase']))
        levels.append(torch.from_numpy(values.astype(np.float32)).reshape(1, *shape))
    return levels


def fill_weights(heads, case):
    """Weights by formula; the only bias is 0.05."""
    boundary, displacement = heads
    convs = [
        *(branch.conv for branch in boundary.levels),
        boundary.predict,
        *(branch.conv for branch in displacement.levels),
        displacement.merge_coarse.conv,
        displacement.merge_all.conv,
        displacement.predict,
    ]
    pairs = zip(convs, case['conv_shapes'], strict=True)
    for number, (conv, shape) in enumerate(pairs):
        flat = np.arange(np.prod(shape), dtype=np.float64)
        values = np.cos(0.7 * flat + number) / np.sqrt(shape[1])
        values = torch.from_numpy(values.astype(np.float32)).reshape(*shape)
        assert conv.weight.shape == values.shape
        conv.weight.data.copy_(values)
    boundary.predict.bias.data.fill_(0.05)
    displacement.mean_shift.copy_(torch.from_numpy(case['mean_shift']))


@pytest.mark.parametrize('name', ['heads_8x8', 'heads_11x15'])
def test_heads_reproduce_the_released_network(name):
    case = np.load(GOLDEN / f'{name}.npz')
    heads = BoundaryHead().eval(), DisplacementHead().eval()
    fill_weights(heads, case)
    levels = golden_levels(case)
    with torch.no_grad():
        edge_logit, displacement = (head(levels) for head in heads)
    np.testing.assert_allclose(edge_logit, case['edge_logit'], rtol=0, atol=2e-4)
    np.testing.assert_allclose(displacement, case['displacement'], rtol=0, atol=2e-4)
    # The mean is taken off in evaluation mode only.
    with torch.no_grad():
        raw = heads[1].train()(levels)
    shift = torch.from_numpy(case['mean_shift']).float()[:, None, None]
    torch.testing.assert_close(raw - shift, displacement)


def test_numbers_of_parameters():
    def count(module):
        return sum(parameter.numel() for parameter in module.parameters())

    assert count(BoundaryHead()) == 125_409
    assert count(DisplacementHead()) == 1_269_120


@pytest.mark.parametrize('head', [BoundaryHead, DisplacementHead])
def test_wrong_settings_are_refused(head):
    with pytest.raises(ValueError, match='multiples of 8'):
        head(strides=(8, 8, 8, 12, 16) if head is BoundaryHead else (8, 4, 8, 12, 16))
    with pytest.raises(ValueError, match='one entry'):
        head(in_channels=(8, 8))
    with pytest.raises(ValueError, match='got 1'):
        head()([torch.zeros(1, 64, 4, 4)])


def test_groups_must_divide_the_channels():
    with pytest.raises(ValueError, match='num_groups=5'):
        BoundaryHead(num_groups=5)


@pytest.mark.parametrize('size', [(64, 48), (50, 37), (16, 16)])
def test_five_levels_of_a_resnet_fit_the_heads(size):
    backbone = StemLevelResNet(
        depth=18, base_channels=8, strides=(1, 2, 2, 1), frozen_stages=4
    )
    backbone.eval()  # MMDetection's returns None
    levels = backbone(torch.randn(1, 3, *size))
    assert tuple(level.shape[1] for level in levels) == backbone.out_channels
    stride4 = tuple((side - 1) // 4 + 1 for side in size)
    assert levels[0].shape[2:] == levels[1].shape[2:] == stride4
    assert levels[3].shape[2:] == levels[4].shape[2:]
    for head in (
        BoundaryHead(backbone.out_channels, feat_channels=8),
        DisplacementHead(
            backbone.out_channels, feat_channels=(8,) * 5, num_groups=(4,) * 5
        ),
    ):
        assert head(levels).shape[2:] == stride4
