"""What a user of two processes sees of an error: one message, and it comes last."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'
PARTS = """
import os
import signal
import torch
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmwsis.formats.coco_file import read_json

@DATASETS.register_module()
class Numbers(torch.utils.data.Dataset):
    def __init__(self, fault=None):
        self.fault = fault

    def __len__(self):
        return 8

    def __getitem__(self, index):
        rank = int(os.environ['RANK'])
        if self.fault == 'all' or rank == 1 and index == 5:
            if self.fault in ('all', 'one'):
                read_json('missing.json')
            if self.fault == 'system':
                open('missing.txt')
            if self.fault == 'bug':
                [][3]
            if self.fault == 'kill':
                os.kill(os.getpid(), signal.SIGKILL)
        return dict(inputs=torch.tensor([float(index)]))

@MODELS.register_module()
class Scale(BaseModel):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs, mode='tensor'):
        return dict(loss=(self.factor * torch.cat(list(inputs))).square().mean())
"""
CONFIG = """
custom_imports = dict(imports=['parts'])
default_scope = 'mmengine'
model = dict(type='Scale')
train_dataloader = dict(
    dataset=dict(type='Numbers'), batch_size=2, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'))
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.001))
"""


@pytest.fixture
def train(tmp_path):
    """Train on two processes with an option; returns exit code and all that is said."""
    (tmp_path / 'parts.py').write_text(PARTS)
    (tmp_path / 'tiny.py').write_text(CONFIG)

    def run(*options, port=None):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = port or str(free.getsockname()[1])
        done = subprocess.run(
            ['bash', str(TOOLS / 'dist_train.sh'), 'tiny.py', '2', *options],
            cwd=tmp_path,
            env={
                **os.environ,
                'PYTHONPATH': os.pathsep.join([str(tmp_path), str(ROOT)]),
                'PYTHON': sys.executable,
                'PORT': port,
                'OMP_NUM_THREADS': '1',
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout

    return run


def is_the_one_message(code, text, *parts):
    """One error, at the end, and nothing of torchrun's."""
    assert code == 1, text
    assert text.count('error:') == 1, text
    last = text.splitlines()[-1]
    assert last.startswith('error: '), text
    assert [part for part in parts if part not in last] == []
    assert 'Traceback' not in text and 'ChildFailedError' not in text


@pytest.mark.slow
def test_mistake_in_the_command(train):
    is_the_one_message(*train('--dataset', 'none.py'), 'none.py does not exist')


@pytest.mark.slow
def test_missing_file_on_every_process(train):
    result = train('--cfg-options', 'train_dataloader.dataset.fault=all')
    is_the_one_message(*result, 'missing.json does not exist')


@pytest.mark.parametrize('workers', [pytest.param(0, marks=pytest.mark.slow), 1])
def test_missing_file_on_the_second_process_alone(train, workers):
    result = train(
        '--cfg-options',
        'train_dataloader.dataset.fault=one',
        f'train_dataloader.num_workers={workers}',
    )
    is_the_one_message(*result, 'missing.json does not exist')


@pytest.mark.slow
def test_error_of_the_system_in_a_worker(train):
    result = train(
        '--cfg-options',
        'train_dataloader.dataset.fault=system',
        'train_dataloader.num_workers=1',
    )
    is_the_one_message(*result, 'missing.txt: No such file')


@pytest.mark.slow
def test_error_in_the_program_keeps_its_traceback(train):
    code, text = train('--cfg-options', 'train_dataloader.dataset.fault=bug')
    assert code == 1
    assert text.count('Traceback (most recent call last)') == 1, text
    assert text.splitlines()[-1].endswith('IndexError: list index out of range')
    assert 'ChildFailedError' not in text


@pytest.mark.slow
def test_process_that_the_system_ended(train):
    code, text = train('--cfg-options', 'train_dataloader.dataset.fault=kill')
    assert code == 137
    last = text.splitlines()[-1]
    assert last.startswith('error: process 1 was ended by SIGKILL'), text
    assert 'Traceback' not in text and 'ChildFailedError' not in text


def test_port_that_is_taken(train):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        is_the_one_message(*train(port=port), f'port {port} is in use', 'PORT=')
