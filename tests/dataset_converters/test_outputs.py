"""A conversion's files are put in place together or not at all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.image_records import ConversionError
from mmwsis.dataset_converters.outputs import Outputs
from mmwsis.dataset_converters.voc import VocOptions, convert_split
from mmwsis.dataset_converters.voc_layout import find_layout

COCO = dict(
    images=[dict(id=1, file_name='a.png', width=8, height=8)],
    annotations=[dict(id=7, image_id=1, category_id=1, bbox=[0, 0, 4, 4], iscrowd=0)],
    categories=[dict(id=1, name='cat')],
)


def tree(folder):
    files = (path for path in folder.rglob('*') if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_error_everything_is_as_it_was(tmp_path, error):
    (tmp_path / 'old').mkdir()
    (tmp_path / 'old/a.json').write_text('good')
    before = tree(tmp_path)
    with pytest.raises(error), Outputs() as files:
        files.labels(tmp_path / 'old/a.json', COCO, 'in.json')
        files.text(tmp_path / 'new/deep/b.md', 'text')
        (files.folder(tmp_path / 'pngs') / 'x.png').write_bytes(b'1')
        raise error
    assert tree(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ['old']


def test_the_files_come_at_the_end(tmp_path):
    with Outputs() as files:
        stage = files.folder(tmp_path / 'pngs')
        (stage / 'city').mkdir()
        (stage / 'city/x.png').write_bytes(b'1')
        files.labels(tmp_path / 'new/a.json', COCO, 'in.json')
        assert not (tmp_path / 'new/a.json').exists()
    assert sorted(map(str, tree(tmp_path))) == ['new/a.json', 'pngs/city/x.png']
    assert [path.name for path in (tmp_path / 'pngs').iterdir()] == ['city']


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('images', [], 'in.json: no image is left'),
        ('annotations', [{**COCO['annotations'][0], 'bbox': '7'}], 'annotation id 7'),
        ('categories', [dict(id=1, name=3)], 'category-entry: '),
        ('extra', [1, dict(a=float('nan'))], r'in.json: extra\[1\].a \(nan\)'),
    ],
)
def test_what_check_dataset_refuses_is_not_written(tmp_path, key, value, message):
    with pytest.raises(ValueError, match=message), Outputs() as files:
        files.labels(tmp_path / 'out/a.json', {**COCO, key: value}, 'in.json')
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / 'f').write_text('')
    with pytest.raises(NotADirectoryError, match='f is a file'), Outputs() as files:
        files.text(tmp_path / 'f/a.md', '')
    (tmp_path / 'd').mkdir()
    with pytest.raises(IsADirectoryError, match='d is a folder'), Outputs() as files:
        files.text(tmp_path / 'e.md', '')
        files.text(tmp_path / 'd', '')
    assert not (tmp_path / 'e.md').exists()


@pytest.fixture
def voc(tmp_path):
    for name in ('a', 'b'):
        for folder in ('JPEGImages', 'SegmentationObject', 'SegmentationClass'):
            path = tmp_path / folder / f'{name}.{"jpg" if "J" in folder else "png"}'
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.eye(6, dtype=np.uint8)).save(path)
    (tmp_path / 'list.txt').write_text('a\nb\n')
    return tmp_path


def test_maps_of_a_failed_conversion_do_not_replace_good_ones(voc):
    options = VocOptions('masks', str(voc / 'maps'), str(voc / 'out/panoptic_list'))
    layout, out = find_layout(voc), voc / 'out/instances_list.json'
    convert_split(layout, voc / 'list.txt', out, options)
    before = tree(voc / 'out') | tree(voc / 'maps')
    changed = np.eye(6, dtype=np.uint8)[::-1]
    for folder in ('SegmentationObject', 'SegmentationClass'):
        Image.fromarray(changed).save(voc / folder / 'a.png')
    (voc / 'SegmentationClass/b.png').write_bytes(b'broken')
    run = RunOptions(overwrite=True)
    with pytest.raises(ConversionError, match='b.png'):
        convert_split(layout, voc / 'list.txt', out, options, run)
    assert tree(voc / 'out') | tree(voc / 'maps') == before


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(voc, number):
    """It comes while the second image is converted, in another process."""
    os.remove(voc / 'SegmentationObject/b.png')
    os.mkfifo(voc / 'SegmentationObject/b.png')
    script = f"""
import runpy, sys
from pathlib import Path
Path.is_file = lambda self: self.exists()  # a pipe, which nobody writes to
sys.argv = ['tool', '.', '--list', 'list.txt', '--panoptic', '--workers', '2',
            '--semantic-dir', 'maps', '--out-dir', 'out']
runpy.run_path({str(Path('tools/dataset_converters/voc2coco.py').resolve())!r},
               run_name='__main__')
"""
    process = subprocess.Popen(
        [sys.executable, '-c', script],
        cwd=voc,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.getcwd()},
        # A shell makes what it runs in the background deaf to SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(voc.glob('maps/.*/a.png')) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    # Ends the worker that waits; a real one ends with its image.
    time.sleep(1)
    descriptor = os.open(voc / 'SegmentationObject/b.png', os.O_WRONLY | os.O_NONBLOCK)
    os.close(descriptor)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number, output
    assert 'Traceback' not in output
    assert not (voc / 'maps').exists() and not (voc / 'out').exists()
