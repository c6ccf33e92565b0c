"""tools/train.py, test.py and their launch scripts, run as a user runs them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from forked_tools import run_forked

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'

# A model of one number on a dataset of eight, so that a run costs its imports only.
PARTS = """
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS

@DATASETS.register_module()
class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([float(index)]))

@MODELS.register_module()
class Scale(BaseModel):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs, mode='tensor'):
        values = torch.cat(list(inputs))
        if mode == 'loss':
            return dict(loss_mil=(self.factor * values).square().mean())
        return [dict(value=float(v)) for v in values]

@METRICS.register_module()
class Mean(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [sample['value'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(mean=sum(results) / len(results), none=float('nan'))
"""
CONFIG = """
custom_imports = dict(imports=['parts'])
default_scope = 'mmengine'
model = dict(type='Scale')
loader = dict(
    dataset=dict(type='Numbers'), batch_size=2, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'))
train_dataloader = loader
test_dataloader = loader
test_evaluator = dict(type='Mean', prefix='coco')
train_cfg = dict(by_epoch=True, max_epochs=1)
test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.001))
auto_scale_lr = dict(enable=False, base_batch_size=8)
env_cfg = dict(dist_cfg=dict(backend='nccl'))
custom_hooks = [dict(type='mmwsis.StopOnNaNHook')]
reads = dict(weak_labels='weak.json')
wsis = dict(requires=[dict(path='weak.json', command='python tools/make_it.py')])
"""


@pytest.fixture
def work(tmp_path):
    (tmp_path / 'parts.py').write_text(PARTS)
    (tmp_path / 'tiny.py').write_text(CONFIG)
    (tmp_path / 'weak.json').write_text('{}')
    return tmp_path


def _run(work, *command):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    environment = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join([str(work), str(ROOT)]),
        'PYTHON': sys.executable,
        'PORT': port,
        'OMP_NUM_THREADS': '1',
    }
    if command[0] == sys.executable:
        return run_forked(command, work, environment)
    return subprocess.run(
        list(map(str, command)),
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_train_resume_on_two_processes_and_test(work):
    first = _run(work, sys.executable, TOOLS / 'train.py', 'tiny.py')
    assert first.returncode == 0, first.stderr[-3000:]
    folder = work / 'work_dirs' / 'tiny'
    assert (folder / 'epoch_1.pth').is_file()

    # Checkpoints carry history buffers; resuming needs them allow-listed.
    second = _run(
        *(work, 'bash', TOOLS / 'dist_train.sh', 'tiny.py', 2, '--resume'),
        *('--auto-scale-lr', '--cfg-options', 'train_cfg.max_epochs=2'),
    )
    assert second.returncode == 0, second.stderr[-3000:]
    state = torch.load(folder / 'epoch_2.pth', weights_only=False)
    # 4 iterations alone, then 2 with the same data split over two processes.
    assert (state['meta']['epoch'], state['meta']['iter']) == (2, 6)
    assert 'resumed epoch: 1' in second.stdout + second.stderr

    third = _run(
        *(work, sys.executable, TOOLS / 'test.py', 'tiny.py', folder / 'epoch_2.pth'),
        *('--metrics-out', 'out/metrics.json', '--work-dir', 'elsewhere'),
    )
    assert third.returncode == 0, third.stderr[-3000:]
    metrics = json.loads((work / 'out' / 'metrics.json').read_text())
    assert metrics == {'coco/mean': 3.5, 'coco/none': None}
    assert (work / 'elsewhere').is_dir()


def test_missing_pseudo_labels_name_the_command_that_makes_them(work):
    (work / 'weak.json').unlink()
    result = _run(work, sys.executable, TOOLS / 'train.py', 'tiny.py')
    assert result.returncode != 0
    assert 'weak.json does not exist' in result.stderr
    assert 'python tools/make_it.py' in result.stderr
    assert not (work / 'work_dirs').exists()


@pytest.mark.parametrize(
    ('script', 'usage'),
    [
        ('dist_train.sh', 'bash tools/dist_train.sh CONFIG GPUS'),
        ('dist_test.sh', 'bash tools/dist_test.sh CONFIG CHECKPOINT GPUS'),
        ('slurm_train.sh', 'slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR'),
        ('slurm_test.sh', 'slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT'),
    ],
)
def test_launch_scripts_say_how_they_are_called(work, script, usage):
    result = _run(work, 'bash', TOOLS / script)
    assert result.returncode == 2
    assert usage in result.stderr


def _record(folder, name):
    """Put a program that only writes down its arguments on PATH."""
    path = folder / name
    path.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\necho "PYTHONPATH=$PYTHONPATH"\n')
    path.chmod(0o755)
    return path


def _arguments(work, monkeypatch, script, *arguments, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    command = ['bash', str(TOOLS / script), *arguments]
    result = subprocess.run(command, cwd=work, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_several_machines_are_passed_on(work, monkeypatch):
    python = _record(work, 'recorder')
    lines = _arguments(
        *(work, monkeypatch, 'dist_test.sh', 'c.py', 'e.pth', '4', '--show-dir', 'a b'),
        PYTHON=str(python),
        NNODES='2',
        NODE_RANK='1',
        MASTER_ADDR='10.0.0.1',
        PORT='12345',
    )
    assert '--nnodes=2' in lines and '--node-rank=1' in lines
    assert '--master-addr=10.0.0.1' in lines and '--master-port=12345' in lines
    assert '--nproc-per-node=4' in lines
    assert lines[lines.index('c.py') :][:6] == [
        *('c.py', 'e.pth', '--launcher', 'pytorch', '--show-dir', 'a b')
    ]


def test_slurm_settings_are_passed_on(work, monkeypatch):
    _record(work, 'srun')
    lines = _arguments(
        *(work, monkeypatch, 'slurm_train.sh', 'gpu', 'job', 'c.py', 'wd', '--amp'),
        PATH=f'{work}{os.pathsep}{os.environ["PATH"]}',
        GPUS='16',
        GPUS_PER_NODE='4',
        SRUN_ARGS='--quotatype=auto --time=1:00',
    )
    for expected in (
        *('--job-name=job', '--gres=gpu:4', '--ntasks=16', '--ntasks-per-node=4'),
        *('--quotatype=auto', '--time=1:00', '--launcher=slurm', '--work-dir=wd'),
    ):
        assert expected in lines
    assert '--amp' in lines


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_help_shows_examples(work, tool):
    result = _run(work, sys.executable, TOOLS / tool, '--help')
    assert result.returncode == 0
    assert (
        'Examples::' in result.stdout and 'configs/exits/solov2_r50.py' in result.stdout
    )
    for option in ('--launcher', '--cfg-options', '--dataset', '--work-dir'):
        assert option in result.stdout
