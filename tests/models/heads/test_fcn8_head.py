"""The upsampling path of WISE."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from mmwsis.models.heads import FCN8Head

GOLDEN = Path(__file__).parents[2] / 'golden' / 'wise' / 'fcn8_head_a.npz'


def golden_head():
    with np.load(GOLDEN) as file:
        data = {key: torch.from_numpy(file[key]) for key in file.files}
    levels = data['x8'], data['x16'], data['x32']
    head = FCN8Head([level.shape[1] for level in levels], out_channels=4)
    for layer, stride in zip(head.scores, (8, 16, 32)):
        layer.weight.data = data[f'score_{stride}s_weight']
        layer.bias.data = data[f'score_{stride}s_bias']
    return head, levels, data['out']


def test_golden_maps():
    head, levels, expected = golden_head()
    assert_close(head(levels, expected.shape[2:]), expected, rtol=0, atol=1e-5)


def test_the_finest_level_is_the_sum_before_the_last_enlargement():
    head, levels, expected = golden_head()
    finest = head.stride8(levels)
    assert finest.shape == (1, 4, 9, 12)
    enlarged = F.interpolate(finest, (70, 93), mode='bilinear', align_corners=True)
    assert_close(enlarged, expected, rtol=0, atol=1e-5)


def test_starts_as_pytorch_does():
    torch.manual_seed(0)
    head = FCN8Head(out_channels=21)
    started = {name: value.clone() for name, value in head.state_dict().items()}
    head.init_weights()
    for name, value in head.state_dict().items():
        assert value.equal(started[name])
    assert sum(value.numel() for value in started.values()) == 21 * (3584 + 3)
    for layer in head.scores:
        bound = layer.in_channels**-0.5
        assert 0.9 * bound < layer.weight.abs().max() <= bound


@pytest.mark.parametrize('levels', [1, 2, 3])
def test_an_image_of_one_pixel(levels):
    head = FCN8Head((3, 4, 5)[:levels], out_channels=2)
    features = [torch.rand(2, width, 1, 1) for width in (3, 4, 5)[:levels]]
    maps = head(features, (1, 1))
    maps.sum().backward()
    assert maps.shape == (2, 2, 1, 1)


def test_wrong_arguments_are_named():
    head = FCN8Head((3, 4), out_channels=2)
    good = torch.rand(1, 3, 4, 4), torch.rand(1, 4, 2, 2)
    with pytest.raises(ValueError, match='expected 2 levels, got 1'):
        head(good[:1], (8, 8))
    with pytest.raises(ValueError, match=r'features: expected shape \(B, 4, h, w\)'):
        head((good[0], good[0]), (8, 8))
    with pytest.raises(TypeError, match='features: expected floating-point'):
        head((good[0], good[1].int()), (8, 8))
    with pytest.raises(ValueError, match='size: expected'):
        head(good, (0, 8))
    with pytest.raises(ValueError, match='out_channels: expected an integer >= 1'):
        FCN8Head(out_channels=0)
    with pytest.raises(ValueError, match='in_channels: expected one per level'):
        FCN8Head((), out_channels=2)
