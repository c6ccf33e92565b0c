"""Moving average and learning rate, as MAL's code has them, on upstream's machinery."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.engine.hooks import MeanTeacherHook
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

TESTS = Path(__file__).parents[2]
CONFIGS = TESTS.parent / 'configs'
GOLDEN = np.load(TESTS / 'golden' / 'exits' / 'ema_lr_61.npz')


class Weights(torch.nn.Module):
    def __init__(self, values):
        super().__init__()
        self.values = torch.nn.Parameter(torch.from_numpy(values.copy()))


def test_golden_moving_average():
    model = torch.nn.Module()
    model.student = Weights(GOLDEN['student'][0])
    model.teacher = Weights(GOLDEN['teacher'][0])
    hook = MeanTeacherHook(momentum=1 - float(GOLDEN['momentum']))
    for step, student in enumerate(GOLDEN['student']):
        model.student.values.data = torch.from_numpy(student)
        hook.after_train_iter(SimpleNamespace(iter=step, model=model), step)
        np.testing.assert_allclose(
            model.teacher.values.detach(), GOLDEN['teacher'][step + 1], rtol=1e-6
        )


def rates(config, base, warmup, epochs, length):
    """Rate of every iteration under the schedulers of a config, of ``length`` each."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=base)
    linear, cosine = config.param_scheduler
    settings = dict(linear, end=warmup), dict(cosine, begin=warmup, end=epochs)
    schedulers = [
        PARAM_SCHEDULERS.build(
            dict(one, optimizer=optimizer), default_args=dict(epoch_length=length)
        )
        for one in settings
    ]
    out = []
    for _ in range(epochs * length):
        out.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return out


def own_settings(config):
    linear, cosine = config.param_scheduler
    assert cosine.begin == linear.end and cosine.end == config.train_cfg.max_epochs
    return config.optim_wrapper.optimizer.lr, linear.end, cosine.end


@pytest.mark.parametrize(
    ('name', 'index', 'shipped'),
    [
        ('labeler_vit-b_coco', 0, True),
        ('labeler_vit-b_voc', 1, True),
        ('labeler_vit-b_coco', 2, False),  # other numbers, the same two schedulers
    ],
)
def test_golden_learning_rate(name, index, shipped):
    config = Config.fromfile(CONFIGS / 'exits' / f'{name}.py')
    rows = GOLDEN['lr_rows']
    case = np.unique(rows[:, :4], axis=0)[index]
    base, (warmup, epochs, length) = case[0], case[1:].astype(int).tolist()
    if shipped:
        assert own_settings(config) == pytest.approx((base, warmup, epochs))
    sequence = rates(config, base, warmup, epochs, length)
    own = rows[(rows[:, :4] == case).all(1)]
    actual = [sequence[int(epoch * length + step)] for *_, epoch, step, _ in own]
    np.testing.assert_allclose(actual, own[:, 6], rtol=1e-6, atol=1e-9 * base)
