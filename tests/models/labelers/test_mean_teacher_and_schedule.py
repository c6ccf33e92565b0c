"""Moving average and learning rate, as MAL's code has them, on upstream's machinery."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from mmdet.engine.hooks import MeanTeacherHook
from mmengine.optim import CosineAnnealingLR, LinearLR

GOLDEN = np.load(Path(__file__).parents[2] / 'golden' / 'exits' / 'ema_lr_61.npz')


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


def rates(base, warmup, epochs, length):
    """Rate of every iteration under MMEngine's two schedulers."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=base)
    # One step longer than the warm-up, because MMEngine's LinearLR arrives at its end
    # one step before `end`; both rules then agree on the step where they meet.
    schedulers = [
        LinearLR(optimizer, 1e-9, begin=0, end=warmup * length + 1, by_epoch=False),
        CosineAnnealingLR(
            optimizer,
            eta_min_ratio=0.2,
            begin=warmup * length,
            end=epochs * length,
            by_epoch=False,
        ),
    ]
    out = []
    for _ in range(epochs * length):
        out.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return out


def test_golden_learning_rate():
    rows = GOLDEN['lr_rows']
    for base, warmup, epochs, length in np.unique(rows[:, :4], axis=0):
        sequence = rates(base, int(warmup), int(epochs), int(length))
        own = rows[(rows[:, :4] == (base, warmup, epochs, length)).all(1)]
        actual = [sequence[int(epoch * length + step)] for *_, epoch, step, _ in own]
        np.testing.assert_allclose(actual, own[:, 6], rtol=1e-6, atol=1e-9 * base)
