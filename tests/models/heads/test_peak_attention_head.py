"""Convolutions with peak attention, and the classifier behind them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.heads import PeakAttentionHead

GOLDEN = Path(__file__).parents[2] / 'golden' / 'bestie' / 'pam_stack_0.npz'


def close(found, expected):
    """The limit is relative to the largest number of an array."""
    limit = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(found.detach(), expected, rtol=0, atol=limit)


def test_golden_stack():
    data = np.load(GOLDEN)
    alpha = float(data['alpha'])
    head = PeakAttentionHead(
        3, 4, 5, act_cfg=dict(type='mmwsis.PeakAttention', alpha=alpha)
    )
    layers = [*(block.conv for block in head.convs), head.classifier]
    for index, layer in enumerate(layers):
        layer.weight.data = torch.from_numpy(data[f'w{index}'])
        layer.bias.data = torch.from_numpy(data[f'b{index}'])
    features = torch.from_numpy(data['x']).requires_grad_()
    x = features
    for index, block in enumerate(head.convs):
        x = block(x)
        close(x, data[f'pam{index}'])
    close(head.class_maps(features), data['cam'])
    logits = head(features)
    close(logits, data['logit'])
    loss = head.loss(logits, torch.from_numpy(data['label']))
    close(loss, data['loss'])
    loss.backward()
    close(features.grad, data['grad_x'])
    for index, layer in enumerate(layers):
        close(layer.weight.grad, data[f'gw{index}'])
        close(layer.bias.grad, data[f'gb{index}'])


def test_new_layers_start_as_the_released_code_does():
    torch.manual_seed(0)
    head = PeakAttentionHead(20, 64, 96)
    head.init_weights()
    for layer in (*(block.conv for block in head.convs), head.classifier):
        out, _, kernel, _ = layer.weight.shape
        std = (2 / (kernel**2 * out)) ** 0.5
        assert layer.weight.std().item() == pytest.approx(std, rel=0.05)
        assert not layer.bias.any()


def test_alpha_zero_gives_plain_cams():
    heads = [
        PeakAttentionHead(3, 4, 5, act_cfg=act_cfg)
        for act_cfg in (dict(type='mmwsis.PeakAttention', alpha=0), dict(type='ReLU'))
    ]
    heads[1].load_state_dict(heads[0].state_dict())
    features = torch.randn(2, 4, 6, 7)
    maps = [head.class_maps(features) for head in heads]
    assert torch.equal(*maps)
    torch.testing.assert_close(heads[0](features), maps[0].mean((2, 3)))


def test_wrong_features_are_named():
    head = PeakAttentionHead(3, 4, 5)
    with pytest.raises(ValueError, match=r'features: expected shape \(B, 4, h, w\)'):
        head(torch.zeros(2, 5, 6, 7))
    with pytest.raises(ValueError, match='expected positions'):
        head.class_maps(torch.zeros(2, 4, 0, 7))
