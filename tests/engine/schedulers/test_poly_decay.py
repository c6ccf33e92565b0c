"""Polynomial decay and the optimiser of IRNet, against the released code's steps."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

GOLDEN = Path(__file__).parents[2] / 'golden' / 'irnet'


class TwoRates(nn.Module):
    """Two vectors; the second has ten times the rate, as a head has."""

    def __init__(self, w, v):
        super().__init__()
        self.body = nn.ParameterDict(dict(weight=nn.Parameter(torch.from_numpy(w))))
        self.head = nn.ParameterDict(dict(weight=nn.Parameter(torch.from_numpy(v))))


def build(golden):
    model = TwoRates(golden['w0'].copy(), golden['v0'].copy())
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='OptimWrapper',
            optimizer=dict(
                type='SGD',
                lr=float(golden['base_lr']),
                momentum=float(golden['effective_momentum'][0]),
                weight_decay=float(golden['weight_decay'][0]),
            ),
            paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10))),
        ),
    )
    return model, wrapper


@pytest.mark.parametrize('by_epoch', [False, True])
def test_rates_and_steps_are_the_golden_ones(by_epoch):
    golden = np.load(GOLDEN / 'poly_sgd_a.npz')
    model, wrapper = build(golden)
    steps = int(golden['max_step'])
    settings = dict(type='mmwsis.PolyDecayLR', optimizer=wrapper, power=0.9)
    if by_epoch:
        epochs = dict(by_epoch=True, begin=0, end=2, convert_to_iter_based=True)
        defaults = dict(epoch_length=steps // 2)
    else:
        epochs, defaults = dict(by_epoch=False, begin=0, end=steps), {}
    scheduler = PARAM_SCHEDULERS.build({**settings, **epochs}, default_args=defaults)
    w, v = model.body['weight'], model.head['weight']
    for step, rates in enumerate(golden['lrs']):
        assert wrapper.get_lr()['lr'] == pytest.approx(rates.tolist(), abs=1e-9)
        loss = sum(
            0.5
            * (
                torch.from_numpy(golden['A']) * (p - torch.from_numpy(golden['b'])) ** 2
            ).sum()
            for p in (w, v)
        )
        wrapper.update_params(loss)
        scheduler.step()
        assert w.detach().numpy() == pytest.approx(golden['w'][step], abs=1e-9)
        assert v.detach().numpy() == pytest.approx(golden['v'][step], abs=1e-9)


def test_example_of_the_released_code():
    _, wrapper = build(np.load(GOLDEN / 'poly_sgd_a.npz'))
    scheduler = PARAM_SCHEDULERS.build(
        dict(
            type='mmwsis.PolyDecayLR',
            optimizer=wrapper,
            power=0.9,
            by_epoch=False,
            end=10,
        )
    )
    rates = []
    for _ in range(12):
        rates.append(wrapper.param_groups[0]['lr'])
        scheduler.step()
    assert rates[:3] == pytest.approx([0.1, 0.0909533, 0.0818052], abs=1e-7)
    assert rates[9:] == pytest.approx([0.0125893] * 3, abs=1e-7)


def test_fewer_images_than_a_batch_are_explained():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = dict(
        type='mmwsis.PolyDecayLR',
        power=0.9,
        by_epoch=True,
        end=5,
        convert_to_iter_based=True,
    )
    with pytest.raises(ValueError, match=r'fewer images than train_dataloader\.batch'):
        PARAM_SCHEDULERS.build(
            dict(schedule, optimizer=optimizer, epoch_length=0),
        )
