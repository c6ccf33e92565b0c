"""The converter tool, called as from the command line."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

TOOL = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'mae2mmwsis.py'


def run(monkeypatch, *args):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_it_writes_our_names(tmp_path, monkeypatch, capsys):
    source, target = tmp_path / 'mae.pth', tmp_path / 'encoder.pth'
    state = {'blocks.0.attn.qkv.weight': torch.eye(3), 'mask_token': torch.zeros(1)}
    torch.save(dict(model=state), source)
    run(monkeypatch, source, target)
    converted = torch.load(target, weights_only=True)['state_dict']
    assert list(converted) == ['layers.0.attn.attn.in_proj_weight']
    assert '1 encoder parameters' in capsys.readouterr().out


def test_missing_source_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r'error: .*does not exist'):
        run(monkeypatch, tmp_path / 'mae.pth', tmp_path / 'encoder.pth')
    assert not list(tmp_path.iterdir())
