"""Checkpoints from elsewhere: refused with reason and remedy, wherever they enter."""

import pathlib
import re
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

from mmwsis.compat import apply_compat
from mmwsis.engine.run_config import set_checkpoint, set_resume
from mmwsis.utils.checkpoint import (
    CheckpointError,
    check_checkpoint_file,
    load_checkpoint_file,
)

BROKEN = (
    'PytorchStreamReader failed reading zip archive: failed finding central directory'
)


@pytest.fixture(autouse=True)
def _compat():
    apply_compat()


@pytest.fixture(params=[True, False], ids=['zip', 'old format'])
def foreign(tmp_path, request):
    """Weights, and one object that torch does not know."""
    path = tmp_path / 'foreign.pth'
    content = dict(state_dict=dict(w=torch.arange(3.0)), made_in=pathlib.Path('x'))
    torch.save(content, path, _use_new_zipfile_serialization=request.param)
    return path


def refusal(path):
    return (
        f'{path} holds more than tensors: pathlib.PosixPath. Reading such objects can '
        'run any code, so torch refuses them (weights_only) and mmwsis leaves this on. '
        'If you trust whoever made the file, keep its weights alone, once, with\n'
        f'  python -c "import torch; c = torch.load({str(path)!r}, '
        "map_location='cpu', weights_only=False); torch.save({'state_dict': "
        "c.get('state_dict', c.get('model', c))}, "
        f'{str(path.with_name("foreign_weights.pth"))!r})"\n'
        f'and use {path.with_name("foreign_weights.pth")} instead.'
    )


def init_cfg(path):
    from mmengine.model import BaseModule, PretrainedInit

    PretrainedInit(str(path))(BaseModule())


def encoder_init_cfg(path):
    from mmwsis.models.encoder_pretrained import read_checkpoint

    read_checkpoint(str(path))


def labeler(path):
    from mmwsis.pseudo_labels.labeling import load_labeler

    cfg = Config(dict(model=dict(type='mmwsis.ObjectCropPreprocessor'))).model
    load_labeler(cfg, path, 'cpu')


ENTRANCES = {
    'load_from and --resume': lambda p: CheckpointLoader.load_checkpoint(str(p), 'cpu'),
    'init_cfg': init_cfg,
    'init_cfg of an encoder': encoder_init_cfg,
    'generate_pseudo_labels.py': labeler,
    'test.py, at its start': lambda p: set_checkpoint(Config(dict()), str(p)),
    'train.py, at its start': lambda p: set_resume(Config(dict()), str(p)),
    'check': check_checkpoint_file,
}


@pytest.mark.parametrize('entrance', ENTRANCES)
def test_refused_everywhere_with_reason_and_remedy(foreign, entrance):
    with pytest.raises(CheckpointError) as caught:
        ENTRANCES[entrance](foreign)
    assert str(caught.value) == refusal(foreign)


def test_the_remedy_works(foreign):
    command = re.search(r'python -c "(.*)"\n', refusal(foreign))[1]
    subprocess.run([sys.executable, '-c', command], check=True)
    cleaned = load_checkpoint_file(foreign.with_name('foreign_weights.pth'))
    assert torch.equal(cleaned['state_dict']['w'], torch.arange(3.0))


class _Evil:
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path('executed'),)


@pytest.mark.parametrize('load', [load_checkpoint_file, check_checkpoint_file])
def test_nothing_of_it_is_executed(tmp_path, monkeypatch, load):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(x=_Evil()), 'evil.pth')
    with pytest.raises(CheckpointError, match='holds more than tensors'):
        load('evil.pth')
    assert not (tmp_path / 'executed').exists()


@pytest.mark.parametrize(
    ('size', 'reason'),
    [
        (0, 'EOFError'),
        (1500, f'{BROKEN}.'),
        (7, 'its content is not what torch.save writes.'),
    ],
)
@pytest.mark.parametrize('load', [load_checkpoint_file, check_checkpoint_file])
def test_damaged_file(tmp_path, size, reason, load):
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=dict(w=torch.zeros(1000))), path)
    path.write_bytes(b'nothing' if size == 7 else path.read_bytes()[:size])
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(
        f'{path} ({size} bytes) is no checkpoint, or only the beginning of one: '
        f'{reason}'
    )
    assert message.endswith(
        '. Copy, download or make it again; a training that was killed goes on from an '
        'earlier checkpoint with --resume CHECKPOINT.'
    )


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'^checkpoint .*no.pth does not exist'):
        load_checkpoint_file(tmp_path / 'no.pth')


def test_downloads_are_read_safely_too(tmp_path, foreign):
    """MMEngine asks torch for the unsafe way; served here from a file."""
    with pytest.raises(Exception, match='Weights only load failed'):
        CheckpointLoader._schemes['https://'](
            foreign.as_uri(), map_location='cpu', model_dir=str(tmp_path / 'hub')
        )
    torch.save(dict(w=torch.ones(2)), foreign)
    loaded = CheckpointLoader._schemes['https://'](
        foreign.as_uri(), map_location='cpu', model_dir=str(tmp_path / 'other')
    )
    assert torch.equal(loaded['w'], torch.ones(2))


def test_resume_from_a_newest_checkpoint_that_is_broken_or_gone(tmp_path):
    cfg = Config(dict(work_dir=str(tmp_path)))
    set_resume(cfg, 'auto')  # nothing there: a fresh start
    good, bad = tmp_path / 'iter_2.pth', tmp_path / 'iter_4.pth'
    torch.save(dict(state_dict={}), good)
    (tmp_path / 'last_checkpoint').write_text(str(bad))
    start = f'{tmp_path / "last_checkpoint"} says where to go on, but '
    end = f' Give another one to --resume; there are: {good}.'
    with pytest.raises(FileNotFoundError) as caught:
        set_resume(cfg, 'auto')
    assert str(caught.value) == f'{start}checkpoint {bad} does not exist.{end}'
    bad.write_bytes(good.read_bytes()[:300])
    with pytest.raises(CheckpointError) as caught:
        set_resume(cfg, 'auto')
    message = str(caught.value)
    assert message.startswith(f'{start}{bad} (300 bytes) is no checkpoint')
    assert message.endswith(end)
    (tmp_path / 'last_checkpoint').write_text('')
    with pytest.raises(FileNotFoundError, match=r'but checkpoint \(none\) does not'):
        set_resume(cfg, 'auto')
    (tmp_path / 'last_checkpoint').write_text(str(good))
    set_resume(cfg, 'auto')
    assert cfg.resume and cfg.load_from is None
