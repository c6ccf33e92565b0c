"""Checkpoints of MMEngine under the safe loading of newer torch."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmwsis.compat import allow_checkpoint_globals, apply_compat, register_config_prefix

ROOT = Path(__file__).parents[1]


class _Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        return dict(loss=self.linear(torch.stack(list(inputs))).square().mean())


class _Points(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.full((2,), float(index)))


def _runner(work_dir, epochs, name, **settings):
    return Runner(
        model=_Model(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=_Points(),
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=0.01), accumulative_counts=2
        ),
        param_scheduler=dict(type='LinearLR', begin=0, end=4, by_epoch=False),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        default_scope='mmengine',
        experiment_name=name,
        log_level='ERROR',
        **settings,
    )


@pytest.fixture
def checkpoint(tmp_path):
    _runner(tmp_path / 'first', 2, f'first_{tmp_path.name}').train()
    return tmp_path / 'first' / 'epoch_2.pth'


def test_runner_checkpoint_loads_with_weights_only(checkpoint):
    apply_compat()
    content = torch.load(checkpoint, weights_only=True)
    assert {'state_dict', 'optimizer', 'message_hub'} <= set(content)


def test_run_resumes_from_its_checkpoint(checkpoint, tmp_path):
    apply_compat()
    runner = _runner(checkpoint.parent, 3, f'second_{tmp_path.name}', resume=True)
    runner.train()
    assert (runner.epoch, runner.iter) == (3, 6)


def test_run_starts_from_loaded_weights(checkpoint, tmp_path):
    apply_compat()
    runner = _runner(
        tmp_path / 'other', 1, f'third_{tmp_path.name}', load_from=str(checkpoint)
    )
    runner.load_or_resume()
    expected = torch.load(checkpoint, weights_only=True)['state_dict']
    for key, value in runner.model.state_dict().items():
        assert torch.equal(value, expected[key])
    assert runner.iter == 0


def test_safety_itself_stays_on(tmp_path):
    allow_checkpoint_globals()
    path = tmp_path / 'foreign.pth'
    torch.save(dict(path=Path('x')), path)
    with pytest.raises(Exception, match='(?i)weights.only'):
        torch.load(path, weights_only=True)


class _StealsAttribute:
    def __reduce__(self):
        return getattr, (torch.Tensor, '__class__')


def test_getattr_of_a_checkpoint_reaches_nothing_else(tmp_path):
    allow_checkpoint_globals()
    path = tmp_path / 'foreign.pth'
    torch.save(dict(x=_StealsAttribute()), path)
    with pytest.raises(pickle.UnpicklingError, match='do not trust this file'):
        torch.load(path, weights_only=True)


def test_prefix_of_somebody_else_is_kept():
    import mmengine.config.utils as config_utils

    before = dict(config_utils.MODULE2PACKAGE)
    register_config_prefix()
    register_config_prefix()
    after = config_utils.MODULE2PACKAGE
    assert {key: after[key] for key in before} == before
    assert 'mmwsis' in after


@pytest.mark.parametrize('name', ['registry', 'engine.run_config', 'pipelines'])
def test_whatever_reads_configs_knows_the_prefix(name):
    # Only in a new process is it certain who made the prefix known.
    code = (
        f'import mmwsis.{name}, mmengine.config.utils as utils; '
        'print("mmwsis" in utils.MODULE2PACKAGE)'
    )
    command = [sys.executable, '-W', 'ignore', '-c', code]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == 'True'
