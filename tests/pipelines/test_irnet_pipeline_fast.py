"""The whole of IRNet on a dozen scenes: every stage, its tools and its files."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.semantic_maps import read_semantic_map

sys.path.insert(0, str(Path(__file__).parent))
from fast_run import run_fast

# EXITS' fast pipeline is in the default suite.
pytestmark = pytest.mark.slow

STAGES = [
    'scenes',
    'weak_labels',
    'classifier',
    'class_maps',
    'relation_labels',
    'labeler',
    'pseudo_labels',
    'semantic_maps',
    'cam_components',
    'cam_quality',
    'quality',
    'final_model',
    'final_test',
    'full_supervision',
    'full_test',
    'report',
]


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp('irnet_pipeline')
    return root, run_fast('irnet/pipeline_synthetic.py', root)


def test_every_stage_leaves_what_the_next_one_needs(finished):
    root, _ = finished
    folder = root / 'work_dirs/pipelines/irnet_synthetic'
    manifest = json.loads((folder / 'manifest.json').read_text())
    assert list(manifest['stages']) == STAGES
    assert {entry['status'] for entry in manifest['stages'].values()} == {'finished'}
    inputs = ' '.join(manifest['stages']['labeler']['inputs'])
    assert 'work_dirs/cam_r18_synthetic/' in inputs
    assert 'relation_labels/irnet' in inputs
    assert 'weak/image_tags_train.json' in inputs
    assert 'annotations/instances_train.json' not in inputs


def test_files_of_every_image(finished):
    root, _ = finished
    data = root / 'data/synthetic'
    tags = json.loads((data / 'weak/image_tags_train.json').read_text())
    truth = json.loads((data / 'annotations/instances_train.json').read_text())
    assert not tags['annotations']
    categories = {entry['id'] for entry in tags['categories']}
    for name in ('irnet', 'cam_components'):
        pseudo = json.loads((data / 'pseudo_labels' / f'{name}.json').read_text())
        assert [entry['id'] for entry in pseudo['images']] == [
            entry['id'] for entry in truth['images']
        ]
        ids = [entry['id'] for entry in pseudo['annotations']]
        assert ids == list(range(1, len(ids) + 1))
        assert {e['category_id'] for e in pseudo['annotations']} <= categories
    for folder in ('relation_labels/irnet', 'pseudo_labels/irnet_semantic'):
        maps = MapIndex(data / folder)
        assert maps.image_ids == [image['id'] for image in truth['images']]
        for image in truth['images']:
            semantic = read_semantic_map(maps.path(image['id']))
            assert semantic.shape == (image['height'], image['width'])
            assert set(np.unique(semantic)) <= {*range(7), 255}


def test_report_holds_numbers_and_figures(finished):
    root, _ = finished
    folder = root / 'work_dirs/pipelines/irnet_synthetic'
    report = json.loads((folder / 'report.json').read_text())
    assert [row['stage'] for row in report['stages']] == STAGES
    # Two iterations may end before the first line is logged: no curve then.
    problems = {p['title'] for p in report['pictures'] if p['problem']}
    assert all(title.startswith('Training curves of ') for title in problems)
    files = {p['file'] for p in report['pictures'] if not p['problem']}
    wanted = {'weak_labels', 'pseudo_labels', 'quality_masks', 'predictions'}
    assert {f'pictures/{name}.png' for name in wanted} <= files
    assert all((folder / file).stat().st_size > 1000 for file in files)
