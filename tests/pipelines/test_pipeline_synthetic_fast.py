"""The whole of EXITS on a dozen scenes: every stage, its tools and its files."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fast_run import run_fast

CONFIG = 'exits/pipeline_synthetic.py'
STAGES = [
    'scenes',
    'weak_labels',
    'mae',
    'similarity_extractor',
    'labeler',
    'pseudo_labels',
    'quality',
    'final_model',
    'final_test',
    'full_supervision',
    'full_test',
    'report',
]


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp('pipeline')
    return root, run_fast(CONFIG, root, program='tests/pipelines/forked_stages.py')


def test_every_stage_leaves_what_the_next_one_needs(finished):
    root, _ = finished
    folder = root / 'work_dirs/pipelines/exits_synthetic'
    manifest = json.loads((folder / 'manifest.json').read_text())
    assert list(manifest['stages']) == STAGES
    assert {entry['status'] for entry in manifest['stages'].values()} == {'finished'}
    weak = json.loads(
        (root / 'data/synthetic/weak/extreme_points_train.json').read_text()
    )
    pseudo = json.loads((root / 'data/synthetic/pseudo_labels/exits.json').read_text())
    assert not any('segmentation' in entry for entry in weak['annotations'])
    ids = [entry['id'] for entry in pseudo['annotations']]
    assert sorted(ids) == sorted(entry['id'] for entry in weak['annotations'])
    # The labeler's inputs are outputs of the stages before it.
    inputs = ' '.join(manifest['stages']['labeler']['inputs'])
    assert 'work_dirs/mae_vit-tiny_synthetic/' in inputs
    assert 'work_dirs/similarity-extractor_vit-tiny_synthetic/' in inputs
    assert 'weak/extreme_points_train.json' in inputs
    assert 'annotations/instances_train.json' not in inputs


def test_report_holds_numbers_and_figures(finished):
    root, printed = finished
    folder = root / 'work_dirs/pipelines/exits_synthetic'
    report = json.loads((folder / 'report.json').read_text())
    assert [row['stage'] for row in report['stages']] == STAGES
    assert 'class-mean IoU, all' in report['summary']['quality']
    # Two iterations may predict nothing at all, and then there is no AP to report.
    assert {'weak', 'full', 'retention'} <= set(report['summary'])
    # Two iterations may end before the first line is logged: no curve then.
    problems = {p['title'] for p in report['pictures'] if p['problem']}
    assert all(title.startswith('Training curves of ') for title in problems)
    files = {p['file'] for p in report['pictures'] if not p['problem']}
    # The second is the labeler's own figure, named after the stage that used it.
    wanted = {'weak_labels', 'pseudo_labels', 'quality_masks', 'predictions'}
    wanted |= {'quality_quality', 'quality_worst', 'curves_labeler'}
    assert {f'pictures/{name}.png' for name in wanted} <= files
    assert all((folder / file).stat().st_size > 1000 for file in files)
    markdown = (folder / 'report.md').read_text()
    assert all(f']({file})' in markdown for file in files)
    html = (folder / 'report.html').read_text()
    assert html.count('<img src="data:image/') == len(files)
    assert len(html) < 10e6
    assert 'class-mean IoU, all' in printed


def test_second_run_finds_everything_done(finished):
    root, _ = finished
    printed = run_fast(CONFIG, root)
    for number, name in enumerate(STAGES, start=1):
        assert f'[{number}/{len(STAGES)}] {name} (' in printed
    assert printed.count(': unchanged, took') == len(STAGES)
