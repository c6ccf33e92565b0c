"""The whole of BESTIE on a dozen scenes, from tags and from points."""

import json
import sys
from pathlib import Path

import pytest

from mmwsis.formats.map_index import MapIndex
from mmwsis.models.detectors import BESTIE
from mmwsis.models.labelers import CAMClassifier

sys.path.insert(0, str(Path(__file__).parent))
from fast_run import run_fast

# EXITS' fast pipeline is in the default suite.
pytestmark = pytest.mark.slow

NAMES = dict(
    image_tags=('bestie', 'pipeline_synthetic'),
    points=('bestie_points', 'pipeline_points_synthetic'),
)


@pytest.fixture(scope='module', params=NAMES)
def finished(request, tmp_path_factory):
    """A pipeline of two rounds: its level, its name, its root."""
    name, file = NAMES[request.param]
    root = tmp_path_factory.mktemp(name)
    run_fast(f'bestie/{file}.py', root, '--rounds', '2')
    return request.param, name, root


def test_every_stage_reads_what_it_may(finished):
    level, name, root = finished
    folder = root / f'work_dirs/pipelines/{name}_synthetic'
    stages = json.loads((folder / 'manifest.json').read_text())['stages']
    assert {entry['status'] for entry in stages.values()} == {'finished'}
    assert list(stages)[-5:] == [
        *('final_model', 'final_test', 'full_supervision', 'full_test', 'report')
    ]
    assert ('cues' in stages) == (level == 'image_tags')
    first, second = (' '.join(stages[f'network@{n}']['inputs']) for n in (1, 2))
    assert 'pseudo_labels/irnet_semantic/' in first
    assert f'pseudo_labels/{name}_semantic_round1/' in second
    assert 'pseudo_labels/irnet_semantic/' not in second
    assert ('pseudo_labels/bestie_cues.json' in first) == (level == 'image_tags')
    assert ('bestie_cues_round1.json' in second) == (level == 'image_tags')
    assert f'weak/{level}_train.json' in first
    for inputs in (first, second):
        assert 'annotations/instances_train.json' not in inputs


def test_labels_of_every_image(finished):
    level, name, root = finished
    data = root / 'data/synthetic'
    truth = json.loads((data / 'annotations/instances_train.json').read_text())
    images = [image['id'] for image in truth['images']]
    pseudo = json.loads((data / f'pseudo_labels/{name}.json').read_text())
    assert [entry['id'] for entry in pseudo['images']] == images
    assert pseudo['info']['mmwsis']['supervision'] == level
    sources = ' '.join(pseudo['info']['mmwsis']['trained_on'])
    assert f'{name}_semantic_round1' in sources
    assert pseudo['annotations']
    assert all(0 <= entry['score'] <= 1 for entry in pseudo['annotations'])
    for folder in ('irnet_semantic', f'{name}_semantic_round1'):
        assert MapIndex(data / 'pseudo_labels' / folder).image_ids == images


def test_report_compares_rounds_and_has_its_pictures(finished):
    level, name, root = finished
    folder = root / f'work_dirs/pipelines/{name}_synthetic'
    report = json.loads((folder / 'report.json').read_text())
    (group,) = report['rounds']
    assert list(group['seconds']) == ['1', '2']
    # Two iterations may end before the first line is logged: no curve then.
    problems = {p['title'] for p in report['pictures'] if p['problem']}
    assert all(title.startswith('Training curves of ') for title in problems)
    files = {p['file'] for p in report['pictures'] if not p['problem']}
    wanted = {'weak_labels', 'semantic_maps_maps', 'quality_masks', 'predictions'}
    assert {f'pictures/{one}.png' for one in wanted} <= files
    titles = {BESTIE.report_picture['title']}  # pseudo and refined labels
    if level == 'image_tags':
        titles.add(CAMClassifier.report_picture['title'])  # cues on CAM and PAM
    assert titles <= {p['title'] for p in report['pictures'] if not p['problem']}
