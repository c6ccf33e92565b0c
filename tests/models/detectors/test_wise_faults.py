"""Kill -9 in proposals, training and labels of WISE; two ranks do as one does."""

import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
TOOLS = HERE.parents[2] / 'tools'
sys.path.insert(0, str(HERE))

from test_bestie_faults import command, kill_when  # noqa: E402
from test_bestie_tools import SHORT  # noqa: E402
from test_wise_tools import CONFIG, DATA, PROPOSALS, proposal_options  # noqa: E402

from mmwsis.compat import allow_checkpoint_globals  # noqa: E402
from mmwsis.dataset_converters.synthetic import (  # noqa: E402
    SyntheticSettings,
    make_synthetic,
)
from mmwsis.utils.checkpoint import load_checkpoint_file  # noqa: E402

pytestmark = pytest.mark.slow
TRAIN = (
    *(sys.executable, str(TOOLS / 'train.py'), CONFIG, *SHORT),
    *('train_cfg.max_iters=6', 'train_cfg.val_interval=9'),
    'default_hooks.checkpoint.interval=2',
)
GENERATE = str(TOOLS / 'generate_pseudo_labels.py')
RANKS = ('-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=29543')
LABEL = (CONFIG, 'whole/iter_6.pth')
NO_WORKERS = ('--cfg-options', 'pseudo_label_dataloader.num_workers=0')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('wise_faults')
    make_synthetic(folder / DATA, SyntheticSettings(train=40, val=2, size=64))
    for split in ('train', 'val'):
        words = (sys.executable, GENERATE, PROPOSALS, *proposal_options(split))
        command(f'proposals_{split}', folder, *words).check_returncode()
    command('uninterrupted', folder, *TRAIN, '--work-dir', 'whole').check_returncode()
    return folder


def chunk_of(out):
    """Whether a part of an artifact is on disk."""
    parts = out.with_name(out.name + '.parts')
    return lambda: any(part.stat().st_size for part in parts.glob('part-*.jsonl'))


def contents(out):
    if out.is_file():
        return out.read_bytes()
    return {file.name: file.read_bytes() for file in out.iterdir()}


def check_killed_and_shared(folder, name, *words):
    """One process, two ranks, and a killed run that goes on: the same bytes."""
    outs = [f'{name}_{kind}' for kind in ('one', 'two', 'killed')]
    one, two, killed = (out + '.json' * (name == 'labels') for out in outs)

    def make(out, *launcher):
        last = ('--launcher', 'pytorch') if launcher else ()
        full = (sys.executable, *launcher, GENERATE, *words, '--out', out, *last)
        command(out, folder, *full, *NO_WORKERS).check_returncode()
        return contents(folder / out)

    expected = make(one)
    assert make(two, *RANKS) == expected
    process = (sys.executable, GENERATE, *words, '--out', killed, *NO_WORKERS)
    kill_when(folder, chunk_of(folder / killed), *process)
    finished = folder / killed
    finished = finished if name == 'labels' else finished / 'index.json'
    assert not finished.exists()
    assert make(killed) == expected


def test_killed_and_shared_proposals_are_the_same_files(folder):
    dataset = folder / 'scenes.py'
    dataset.write_text(
        "data_spec = dict(name='scenes', data_root='data/synthetic', classes=('a',),\n"
        "    train=dict(ann_file=None, img='train/',\n"
        "        weak=dict(image_tags='weak/image_tags_train.json')), val=None)\n"
    )
    check_killed_and_shared(folder, 'proposals', PROPOSALS, '--dataset', str(dataset))


def test_a_killed_training_ends_with_the_same_weights(folder):
    train = (*TRAIN, '--work-dir', 'killed')
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


def test_killed_and_shared_labelling_gives_the_same_file(folder):
    check_killed_and_shared(folder, 'labels', *LABEL)
