"""The whole of WISE on a dozen scenes."""

import json
import sys
from pathlib import Path

import pytest

from mmwsis.formats.map_index import MapIndex

sys.path.insert(0, str(Path(__file__).parent))
from fast_run import run_fast

# EXITS' fast pipeline is in the default suite.
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp('wise')
    run_fast('wise/pipeline_synthetic.py', root)
    return root, root / 'work_dirs/pipelines/wise_synthetic'


def test_every_stage_reads_what_it_may(finished):
    root, folder = finished
    stages = json.loads((folder / 'manifest.json').read_text())['stages']
    assert {entry['status'] for entry in stages.values()} == {'finished'}
    inputs = {name: ' '.join(entry['inputs']) for name, entry in stages.items()}
    assert 'proposals/built_in/' in inputs['network']
    assert 'proposals/built_in_val/' in inputs['network_test']
    assert 'weak/points_train.json' in inputs['network']
    for name in ('proposals', 'network', 'pseudo_labels'):
        assert 'annotations/instances_train.json' not in inputs[name]


def test_proposals_and_labels_of_every_image(finished):
    data = finished[0] / 'data/synthetic'
    for split, folder in (('train', 'built_in'), ('val', 'built_in_val')):
        truth = json.loads((data / f'annotations/instances_{split}.json').read_text())
        images = [image['id'] for image in truth['images']]
        assert MapIndex(data / 'proposals' / folder).image_ids == images
        if split == 'train':
            pseudo = json.loads((data / 'pseudo_labels/wise.json').read_text())
            assert [entry['id'] for entry in pseudo['images']] == images
    assert pseudo['info']['mmwsis']['supervision'] == 'points'
    assert pseudo['annotations']
    sources = ' '.join(pseudo['info']['mmwsis']['trained_on'])
    assert 'points_train.json' in sources and 'proposals/built_in' in sources


def test_report_has_recall_and_pictures(finished):
    folder = finished[1]
    report = json.loads((folder / 'report.json').read_text())
    results = {stage['stage']: stage['result'] for stage in report['stages']}
    assert 0 < results['proposal_recall']['recall of proposals at IoU .5'] <= 1
    assert results['proposals']['proposals per image'] > 10
    # Two iterations may end before the first line is logged: no curve then.
    problems = {p['title'] for p in report['pictures'] if p['problem']}
    assert all(title.startswith('Training curves of ') for title in problems)
    files = {p['file'] for p in report['pictures'] if not p['problem']}
    wanted = {'weak_labels', 'pseudo_labels', 'quality_masks', 'predictions'}
    wanted |= {'proposal_recall_quality'}
    assert {f'pictures/{one}.png' for one in wanted} <= files
