"""Optimizers that leave frozen parameters out."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

SETTINGS = dict(
    constructor='mmwsis.TrainableParametersConstructor',
    optimizer=dict(type='Adam', lr=0.1, weight_decay=5e-4),
)


def network():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    model[1].requires_grad_(False)
    return model


@pytest.mark.parametrize('paramwise', [None, dict(custom_keys={'2': dict(lr_mult=10)})])
def test_frozen_parameters_are_left_out(paramwise):
    model = network()
    wrapper = build_optim_wrapper(model, dict(SETTINGS, paramwise_cfg=paramwise))
    trained = {id(p) for g in wrapper.optimizer.param_groups for p in g['params']}
    assert trained == {id(p) for p in model.parameters() if p.requires_grad}
    if paramwise:
        rates = {g['lr'] for g in wrapper.optimizer.param_groups}
        assert rates == {0.1, 1.0}


def test_the_state_is_saved_and_loaded():
    model = network()
    wrapper = build_optim_wrapper(model, SETTINGS)
    wrapper.update_params(model(torch.rand(2, 3, 4, 4)).sum())
    saved = wrapper.state_dict()
    other = build_optim_wrapper(network(), SETTINGS)
    other.load_state_dict(saved)
    assert len(other.state_dict()['state']) == 4
