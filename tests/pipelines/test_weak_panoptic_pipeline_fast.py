"""The whole of weak panoptic on a dozen scenes: undisturbed, killed, on two ranks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmwsis.formats.panoptic_files import PanopticFile

sys.path.insert(0, str(Path(__file__).parent))
from fast_run import REPOSITORY, run_fast

# EXITS' fast pipeline is in the default suite.
pytestmark = pytest.mark.slow
PIPELINE = 'weak_panoptic/pipeline_synthetic.py'
WORK_DIR = 'work_dirs/pipelines/weak_panoptic_synthetic_panoptic'


@pytest.fixture(scope='module', autouse=True)
def one_date():
    """Labels hold when they were made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('SOURCE_DATE_EPOCH', '0')
        yield


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp('weak_panoptic')
    run_fast(PIPELINE, root)
    return root


def stages_of(root):
    manifest = root / WORK_DIR / 'manifest.json'
    return json.loads(manifest.read_text())['stages'] if manifest.is_file() else {}


def labels(root, name):
    """Segments and PNGs of a panoptic file below the data."""
    path = root / 'data/synthetic/pseudo_labels' / name
    entries = json.loads(path.read_text())['annotations']
    pngs = [(path.with_suffix('') / one['file_name']).read_bytes() for one in entries]
    return entries, pngs


def test_every_stage_reads_what_it_may(finished):
    stages = stages_of(finished)
    assert {entry['status'] for entry in stages.values()} == {'finished'}
    inputs = {name: ' '.join(entry['inputs']) for name, entry in stages.items()}
    for name in ('box_labels', 'classifier', 'first_labels', 'network@1', 'labels@2'):
        assert 'weak/boxes_panoptic_train.json' in inputs[name]
    weak = [name for name in stages if 'quality' not in name and 'full' not in name]
    for name in set(weak) - {'weak_labels', 'report'}:
        assert 'annotations/panoptic_train.json' not in inputs[name], name
    assert 'weak_panoptic_round0.json' in inputs['network@1']
    assert 'weak_panoptic_round1.json' in inputs['network@2']
    assert 'weak_panoptic_round2.json' in inputs['instance_network']
    assert 'detections_train.json' in inputs['instance_network']
    assert 'annotations/panoptic_train.json' in inputs['full_network']


def test_labels_of_every_image_in_every_round(finished):
    data = finished / 'data/synthetic'
    truth = json.loads((data / 'annotations/panoptic_train.json').read_text())
    images = [image['id'] for image in truth['images']]
    for name in ('round0', 'round1', 'round2', None):
        stem = f'weak_panoptic_{name}' if name else 'weak_panoptic'
        path = data / f'pseudo_labels/{stem}.json'
        file = PanopticFile(path, path.with_suffix(''))
        assert file.image_ids == images
        assert all(file.segment_map(key).shape == (128, 128) for key in images)
    made = json.loads(path.read_text())['info']['mmwsis']
    assert made['method'] == 'Weak panoptic' and made['supervision'] == 'boxes'


def test_report_has_rounds_and_pictures(finished):
    report = json.loads((finished / WORK_DIR / 'report.json').read_text())
    problems = {p['title']: p['problem'] for p in report['pictures'] if p['problem']}
    # Two iterations may end before the first line is logged: no curve then.
    assert all(title.startswith('Training curves of ') for title in problems), problems
    text = (finished / WORK_DIR / 'report.md').read_text()
    assert '## Rounds of refinement' in text
    assert 'ignored pixels of maps' in text and 'mIoU of stuff' in text
    assert 'Both networks, piecewise and trained end to end' in text


def test_a_kill_in_every_stage_changes_nothing(finished, tmp_path):
    for stage in stages_of(finished):
        kill_in(stage, tmp_path)
    run_fast(PIPELINE, tmp_path)
    for name in ('round0', 'round1', 'round2'):
        own, other = (
            labels(root, f'weak_panoptic_{name}.json') for root in (finished, tmp_path)
        )
        assert own == other
    metrics = f'{WORK_DIR}/metrics/instance_test.json'
    own, other = (json.loads((r / metrics).read_text()) for r in (finished, tmp_path))
    assert own == pytest.approx(other, nan_ok=True)


def kill_in(stage, root):
    """Run the pipeline until a stage has begun, and kill all of it."""
    command = [sys.executable, REPOSITORY / 'tools/run_pipeline.py']
    command += [REPOSITORY / 'configs' / PIPELINE, '--fast', '--root', root]
    with open(root / 'output.txt', 'w') as output:
        run = subprocess.Popen(
            command, cwd=root, stdout=output, stderr=output, start_new_session=True
        )
        while stage not in stages_of(root):
            assert run.poll() is None, (root / 'output.txt').read_text()[-3000:]
            time.sleep(0.2)
        time.sleep(6)  # it imports, then it works
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def test_two_ranks_make_the_labels_of_one(finished, tmp_path):
    config = REPOSITORY / 'configs/weak_panoptic/semantic_pspnet-r18_synthetic.py'
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2']
    command += [REPOSITORY / 'tools/generate_pseudo_labels.py', config]
    command += ['work_dirs/semantic_pspnet-r18_synthetic/round1/iter_2.pth']
    command += ['--out', tmp_path / 'labels.json', '--artifact', 'panoptic_maps']
    done = subprocess.run(
        [*command, '--launcher', 'pytorch'],
        cwd=finished,
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    entries = json.loads((tmp_path / 'labels.json').read_text())['annotations']
    pngs = [(tmp_path / 'labels' / e['file_name']).read_bytes() for e in entries]
    assert (entries, pngs) == labels(finished, 'weak_panoptic_round1.json')
