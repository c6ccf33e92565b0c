"""Kill -9 while BESTIE trains and while it labels; two ranks label as one does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
TOOLS = HERE.parents[2] / 'tools'
sys.path.insert(0, str(HERE))

from test_bestie_tools import (  # noqa: E402
    CONFIG,
    POINTS,
    SHORT,
    write_semantic_maps_and_cues,
)

from mmwsis.compat import allow_checkpoint_globals  # noqa: E402
from mmwsis.dataset_converters.synthetic import (  # noqa: E402
    SyntheticSettings,
    make_synthetic,
)
from mmwsis.utils.checkpoint import load_checkpoint_file  # noqa: E402

pytestmark = pytest.mark.slow
OPTIONS = ('--cfg-options', 'pseudo_label_dataloader.num_workers=0')


def train_with(config):
    return (
        *(sys.executable, str(TOOLS / 'train.py'), config, *SHORT),
        *('train_cfg.max_iters=6', 'train_cfg.val_interval=9'),
        'default_hooks.checkpoint.interval=2',
    )


@pytest.fixture(scope='module', params=[CONFIG, POINTS], ids=['tags', 'points'])
def config(request):
    return request.param


@pytest.fixture(scope='module')
def folder(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp('bestie_faults')
    make_synthetic(
        folder / 'data/synthetic', SyntheticSettings(train=40, val=2, size=64)
    )
    write_semantic_maps_and_cues(folder / 'data/synthetic')
    whole = (*train_with(config), '--work-dir', 'whole')
    command('uninterrupted', folder, *whole).check_returncode()
    return folder


def environment():
    return dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([str(TOOLS.parent), *sys.path]),
        SOURCE_DATE_EPOCH='0',
        OMP_NUM_THREADS='1',
    )


def command(name, folder, *words):
    with open(folder / f'{name}.log', 'w') as log:
        return subprocess.run(
            words, cwd=folder, env=environment(), stdout=log, stderr=log, timeout=300
        )


def kill_when(folder, written, *words):
    """Start a command, and kill it as soon as ``written()`` is true."""
    with open(folder / 'killed.log', 'w') as log:
        process = subprocess.Popen(
            words, cwd=folder, env=environment(), stdout=log, stderr=log
        )
    until = time.time() + 300
    while not written() and process.poll() is None and time.time() < until:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL, (folder / 'killed.log').read_text()


def generate(config, out):
    tool = str(TOOLS / 'generate_pseudo_labels.py')
    return (tool, config, 'whole/iter_6.pth', '--out', out)


def label(folder, config, out, *launcher):
    command(
        out,
        folder,
        *(sys.executable, *launcher, *generate(config, out)),
        *(('--launcher', 'pytorch') if launcher else ()),
        *OPTIONS,
    ).check_returncode()
    return (folder / out).read_bytes()


def test_a_killed_training_ends_with_the_same_weights(folder, config):
    train = (*train_with(config), '--work-dir', 'killed')
    kill_when(folder, (folder / 'killed/iter_4.pth').exists, *train)
    assert not (folder / 'killed/iter_6.pth').exists()
    command('resumed', folder, *train, '--resume').check_returncode()
    allow_checkpoint_globals()
    whole, killed = (
        load_checkpoint_file(folder / name / 'iter_6.pth')['state_dict']
        for name in ('whole', 'killed')
    )
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_killed_and_shared_labelling_gives_the_same_file(folder, config):
    expected = label(folder, config, 'one.json')
    ranks = ('-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=29533')
    assert label(folder, config, 'two.json', *ranks) == expected
    parts = folder / 'killed.json.parts'
    words = (sys.executable, *generate(config, 'killed.json'))

    def chunk_is_on_disk():
        return any(part.stat().st_size for part in parts.glob('part-*.jsonl'))

    kill_when(folder, chunk_is_on_disk, *words, *OPTIONS)
    assert not (folder / 'killed.json').exists()
    assert label(folder, config, 'killed.json') == expected
