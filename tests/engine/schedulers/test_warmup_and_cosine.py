"""Warm-up and cosine of the labelers against the released code's formula."""

import copy
import math

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from mmwsis.engine.schedulers import CosineDecayLR, LinearWarmupLR

PEAK, LEAST = 0.5, 0.2


def formula(step, length, warmup, epochs):
    """MAL's rate at an iteration; ``length`` iterations are an epoch."""
    epoch = step / length
    if epoch < warmup:
        return PEAK * epoch / warmup
    falling = 1 + math.cos(math.pi * (epoch - warmup) / (epochs - warmup))
    return PEAK * (LEAST + (1 - LEAST) / 2 * falling)


def build(length, warmup, epochs, by_epoch, optimizer=None):
    """The two schedulers as configs write them, of epochs or of iterations."""
    optimizer = optimizer or torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=PEAK)
    scale = 1 if by_epoch else length
    shared = dict(by_epoch=by_epoch, optimizer=optimizer)
    if by_epoch:
        shared['convert_to_iter_based'] = True
    settings = (
        dict(type='mmwsis.LinearWarmupLR', begin=0, end=warmup * scale),
        dict(
            type='mmwsis.CosineDecayLR',
            begin=warmup * scale,
            end=epochs * scale,
            eta_min_ratio=LEAST,
        ),
    )
    length = dict(epoch_length=length) if by_epoch else {}
    return optimizer, [
        PARAM_SCHEDULERS.build({**one, **shared}, default_args=length)
        for one in settings
    ]


def rates(optimizer, schedulers, steps):
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return found


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('length', [1, 2, 7, 100])
@pytest.mark.parametrize(('warmup', 'epochs'), [(1, 10), (0.1, 1), (2, 3), (0.29, 4)])
def test_every_rate_is_the_formulas(by_epoch, length, warmup, epochs):
    steps = epochs * length
    found = rates(*build(length, warmup, epochs, by_epoch), steps)
    expected = [formula(step, length, warmup, epochs) for step in range(steps)]
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('kill', range(1, 12))
def test_resumed_in_the_middle(by_epoch, kill):
    plan = (3, 1.5, 4, by_epoch)
    expected = rates(*build(*plan), 12)
    optimizer, schedulers = build(*plan)
    before = rates(optimizer, schedulers, kill)
    saved = copy.deepcopy([one.state_dict() for one in (optimizer, *schedulers)])
    optimizer, schedulers = build(*plan)
    for one, state in zip((optimizer, *schedulers), saved):
        one.load_state_dict(state)
    after = rates(optimizer, schedulers, 12 - kill)
    assert before + after == pytest.approx(expected, rel=1e-12)


def test_warm_up_multiplies_what_other_schedules_make_of_the_rate():
    """MMDetection lets warm-up and steps begin together."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    steps = dict(type='MultiStepLR', milestones=[2], gamma=0.1, by_epoch=False)
    schedulers = [
        LinearWarmupLR(optimizer, end=4, by_epoch=False),
        PARAM_SCHEDULERS.build(dict(steps, optimizer=optimizer)),
    ]
    expected = [0, 0.25, 0.05, 0.075, 0.1, 0.1]
    assert rates(optimizer, schedulers, 6) == pytest.approx(expected, abs=1e-8)


def test_every_group_keeps_its_own_rate():
    groups = [dict(params=[nn.Parameter(torch.zeros(1))], lr=lr) for lr in (1.0, 10.0)]
    wrapper = OptimWrapper(torch.optim.SGD(groups, lr=1.0))
    scheduler = CosineDecayLR(wrapper, end=2, eta_min=0.5, by_epoch=False)
    scheduler.step()
    assert wrapper.get_lr()['lr'] == pytest.approx([0.75, 5.25])


@pytest.mark.parametrize('kind', ['LinearWarmupLR', 'CosineDecayLR', 'PolyDecayLR'])
def test_epoch_without_iteration_is_explained(kind):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    settings = dict(type=f'mmwsis.{kind}', by_epoch=True, begin=0, end=2)
    with pytest.raises(ValueError, match=r'smaller batch_size'):
        PARAM_SCHEDULERS.build(
            dict(settings, convert_to_iter_based=True, optimizer=optimizer),
            default_args=dict(epoch_length=0),
        )
