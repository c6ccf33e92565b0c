"""What a user sees of a broken file: one message, exit code 1, no traceback."""

import os
import runpy
import sys
from pathlib import Path

import pytest
from forked_tools import run_forked

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / 'tests' / folder) for folder in ('faults', 'pseudo_labels')]

from broken_files import FAULTS, Files, write_config  # noqa: E402

from mmwsis.engine.user_errors import TRACEBACK_VARIABLE, user_errors  # noqa: E402


def call(tool, *arguments, cwd):
    """Run a tool in a process of its own, as a user does."""
    folders = [ROOT, ROOT / 'tests/pseudo_labels']
    return run_forked(
        [sys.executable, str(ROOT / 'tools' / tool), *map(str, arguments)],
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join(map(str, folders)),
            'OMP_NUM_THREADS': '1',
        },
        cwd=cwd,
        timeout=200,
    )


@pytest.fixture
def run(monkeypatch):
    """Run a tool in this process; returns what it ends with."""

    def run(tool, *arguments):
        path = str(ROOT / 'tools' / tool)
        monkeypatch.setattr(sys, 'argv', [path, *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(path, run_name='__main__')
        return caught.value.code

    return run


def test_training_on_a_cut_off_image_read_by_a_worker(tmp_path):
    (tmp_path / 'data').mkdir()
    files = Files(tmp_path / 'data')
    FAULTS['truncated_image'](files)
    files.write()
    settings = ('--cfg-options', 'train_dataloader.num_workers=1')
    done = call('train.py', write_config(files), *settings, cwd=tmp_path)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f'error: Image {files.root / "1.png"} (image id 1) cannot be decoded (700 '
        'bytes): this PNG file is truncated, damaged or of a kind that OpenCV, which '
        'decodes images for training, does not know; fetch it again, or save it as PNG '
        'or JPEG of 8 bits.'
    )
    assert not list(tmp_path.rglob('*.pth'))


def test_quality_of_a_damaged_file(tmp_path, run):
    (tmp_path / 'data').mkdir()
    files = Files(tmp_path / 'data')
    FAULTS['rle_malformed'](files)
    files.write()
    truth, out = files.root / 'truth.json', tmp_path / 'quality'
    tool = 'analysis_tools/pseudo_label_quality.py'
    assert run(tool, files.labels, truth, '--out-dir', out).startswith(
        f'error: {files.labels}: annotation id 11 of image id 1: the counts of the RLE '
    )
    assert not out.exists()


def test_retention_of_broken_metrics_files(tmp_path, run, capsys):
    weak, full, out = (tmp_path / name for name in ('w.json', 'f.json', 'out.json'))
    weak.write_text('{"coco/segm_mAP": 0.')
    full.write_text('{"coco/segm_mAP": 0.5}')
    tool = 'analysis_tools/retention.py'
    cut = (
        '%d bytes. An interrupted download or copy looks like this; fetch or write the '
    )
    cut += 'file again.'
    for content, message in (
        (
            '{"coco/segm_mAP": 0.',
            "is no valid JSON: Expecting ',' delimiter at line 1, column 20 of "
            + cut % 20,
        ),
        ('', 'is no valid JSON: Expecting value at line 1, column 1 of ' + cut % 0),
        (
            '[]',
            'holds a list; expected an object of metric names and values, as '
            'tools/test.py --metrics-out writes it',
        ),
        (
            None,
            'does not exist; make it with python tools/test.py CONFIG CHECKPOINT '
            f'--metrics-out {weak}',
        ),
    ):
        weak.unlink() if content is None else weak.write_text(content)
        assert run(tool, weak, full, '--out', out) == 1
        said = capsys.readouterr()
        assert (said.out, said.err) == ('', f'error: {weak} {message}\n')
        assert not out.exists()


def test_a_program_error_keeps_its_traceback():
    with pytest.raises(ValueError, match='somebody else'), user_errors():
        raise ValueError('somebody else')


def test_the_traceback_of_our_own_checks_on_request(monkeypatch):
    from mmwsis.formats.coco_masks import annotation_mask

    with pytest.raises(SystemExit) as caught, user_errors():
        annotation_mask([], (4, 5), 'f.json: annotation id 1')
    assert (
        str(caught.value)
        == 'error: f.json: annotation id 1: segmentation is an empty list.'
    )
    monkeypatch.setenv(TRACEBACK_VARIABLE, '1')
    with pytest.raises(ValueError, match='segmentation is an empty'), user_errors():
        annotation_mask([], (4, 5), 'f.json: annotation id 1')
