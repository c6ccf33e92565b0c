"""What a user sees of a broken file: one message, exit code 1, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / 'tests' / folder) for folder in ('faults', 'pseudo_labels')]

from broken_files import FAULTS, Files, write_config  # noqa: E402

from mmwsis.engine.user_errors import TRACEBACK_VARIABLE, user_errors  # noqa: E402


def call(tool, *arguments, cwd):
    folders = [ROOT, ROOT / 'tests/pseudo_labels']
    return subprocess.run(
        [sys.executable, str(ROOT / 'tools' / tool), *map(str, arguments)],
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join(map(str, folders)),
            'OMP_NUM_THREADS': '1',
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_training_on_a_missing_image_read_by_a_worker(tmp_path):
    (tmp_path / 'data').mkdir()
    files = Files(tmp_path / 'data')
    FAULTS['missing_image'](files)
    files.write()
    settings = ('--cfg-options', 'train_dataloader.num_workers=1')
    done = call('train.py', write_config(files), *settings, cwd=tmp_path)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f'error: Image {files.root / "1.png"} (image id 1) does not exist. Check '
        "data_root and data_prefix['img'] in the config."
    )
    assert not list(tmp_path.rglob('*.pth'))


def test_quality_of_a_damaged_file(tmp_path):
    (tmp_path / 'data').mkdir()
    files = Files(tmp_path / 'data')
    FAULTS['rle_malformed'](files)
    files.write()
    truth = files.root / 'truth.json'
    tool = 'analysis_tools/pseudo_label_quality.py'
    done = call(tool, files.labels, truth, '--out-dir', 'q', cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == ''
    assert done.stderr == (
        f'error: {files.labels}: annotation id 11 of image id 1: the compressed RLE '
        f'does not describe a 64x48 image; got counts {"P" * 40!r}. The file is '
        'damaged or was written for another image.\n'
    )
    assert not (tmp_path / 'q').exists()


def test_retention_of_a_broken_metrics_file(tmp_path):
    (tmp_path / 'weak.json').write_text('{"coco/segm_mAP": 0.')
    (tmp_path / 'full.json').write_text('{"coco/segm_mAP": 0.5}')
    tool, out = 'analysis_tools/retention.py', ('--out', 'table.json')
    done = call(tool, 'weak.json', 'full.json', *out, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr == (
        "error: weak.json is not valid JSON: Expecting ',' delimiter: line 1 column 20 "
        '(char 19)\n'
    )
    missing = call(tool, 'none.json', 'full.json', *out, cwd=tmp_path)
    assert missing.stderr == (
        'error: none.json does not exist; make it with python tools/test.py CONFIG '
        'CHECKPOINT --metrics-out none.json\n'
    )
    assert not (tmp_path / 'table.json').exists()


def test_a_program_error_keeps_its_traceback():
    with pytest.raises(ValueError, match='somebody else'), user_errors():
        raise ValueError('somebody else')


def test_the_traceback_of_our_own_checks_on_request(monkeypatch):
    from mmwsis.annotation_masks import annotation_mask

    with pytest.raises(SystemExit) as caught, user_errors():
        annotation_mask([], (4, 5), 'f.json: annotation id 1')
    assert (
        str(caught.value)
        == 'error: f.json: annotation id 1: segmentation is an empty list.'
    )
    monkeypatch.setenv(TRACEBACK_VARIABLE, '1')
    with pytest.raises(ValueError, match='segmentation is an empty'), user_errors():
        annotation_mask([], (4, 5), 'f.json: annotation id 1')
