"""The cells of docs/inference.ipynb run, and it is committed without outputs."""

import json
from pathlib import Path

import pytest
import torch

from mmwsis.engine.run_config import load_run_config
from mmwsis.registry import MODELS

NOTEBOOK = Path(__file__).parents[2] / 'docs/inference.ipynb'


@pytest.fixture
def cells():
    return [
        cell
        for cell in json.loads(NOTEBOOK.read_text())['cells']
        if cell['cell_type'] == 'code'
    ]


def test_no_outputs_are_committed(cells):
    assert not any(cell['outputs'] or cell['execution_count'] for cell in cells)


def test_the_cells_run(cells, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    work_dir = Path('work_dirs/labeler_vit-tiny_synthetic')
    work_dir.mkdir(parents=True)
    cfg = load_run_config('mmwsis::exits/labeler_vit-tiny_synthetic.py')
    model = MODELS.build(cfg.model)  # of random weights, in place of make demo's
    torch.save(dict(state_dict=model.state_dict()), work_dir / 'iter_1.pth')
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'iter_1.pth'))
    names = {}
    for cell in cells:
        exec(''.join(cell['source']), names)
    said = capsys.readouterr().out
    assert len(names['results']) == len(names['images']) == 2
    assert 'objects, mean IoU 0.' in said
    assert 'got boxes=.\n' in said and "unknown class 'unicorn'" in said
