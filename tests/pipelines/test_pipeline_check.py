"""All stages are checked before the first starts."""

import json
import re
import socket
from pathlib import Path

import pytest

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine import disk_space
from mmwsis.pipelines.launch import Launch
from mmwsis.pipelines.runner import StageFailedError
from mmwsis.pipelines.selection import Selection
from mmwsis.pipelines.session import PipelineOptions, print_plan, run_pipeline

SPEC = """
data_spec = dict(
    name='mine', data_root='data', classes={classes!r},
    train=dict(ann_file='annotations/instances_train.json', img='train/'),
    val=dict(ann_file='annotations/instances_val.json', img='val/'))
"""
CONFIGS = Path(__file__).parents[2] / 'configs'
CLASSES = ('disc', 'ring', 'square', 'triangle', 'star', 'bar')


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    make_synthetic(folder, SyntheticSettings(train=3, val=2, size=64))
    return folder


@pytest.fixture
def project(scenes, tmp_path, monkeypatch):
    """A folder with data, as symbolic links to what no test changes."""
    for split in ('train', 'val'):
        folder = tmp_path / 'data' / split
        folder.mkdir(parents=True)
        for image in (scenes / split).iterdir():
            (folder / image.name).symlink_to(image)
    (tmp_path / 'data/annotations').mkdir()
    for file in (scenes / 'annotations').glob('*.json'):
        (tmp_path / 'data/annotations' / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    Path('spec.py').write_text(SPEC.format(classes=CLASSES))
    return tmp_path


def options(config='mmwsis::exits/pipeline_synthetic.py', **more):
    return PipelineOptions(config, dataset='spec.py', fast=True, **more)


def refusal(**more):
    """What is said of a pipeline that cannot start; that it did not; and the plan."""
    before = sorted(Path().rglob('*'))
    with pytest.raises(StageFailedError) as refused:
        run_pipeline(options(**more), lambda line: None)
    text = str(refused.value)
    assert text.endswith('Nothing was started.')
    assert sorted(Path().rglob('*')) == before
    lines = []
    with pytest.raises(StageFailedError) as planned:
        print_plan(options(**more), commands=False, say=lines.append)
    assert str(planned.value) == text
    return text


@pytest.mark.parametrize('method', ['exits', 'mal', 'irnet'])
def test_nothing_stands_in_the_way(project, method):
    lines = []
    config = f'mmwsis::{method}/pipeline_synthetic.py'
    print_plan(options(config), commands=False, say=lines.append)
    assert lines[-1] == 'Checked for all stages: nothing stands in the way.'


ROUNDS = """
_base_ = {base!r}
C = 'mmwsis::irnet/'
components = dict(
    type='generate', config=C + 'cam-components_synthetic.py', has_weights=False)
folder = 'pseudo_label_dataloader.dataset.pipeline.1.folder'
pipeline = dict(dataset='mmwsis::data_specs/synthetic.py', stages=[
    dict(name='scenes'), dict(name='weak_labels'),
    dict(name='classifier', type='train', config=C + 'cam_r18_synthetic.py'),
    dict(name='class_maps', type='generate', config=C + 'cam_r18_synthetic.py',
         out='{{data_root}}/maps'),
    dict(components, name='start', cfg_options={{folder: '{{out:class_maps}}'}},
         out='{{data_root}}/labels_0.json'),
    dict(name='refine', type='rounds', rounds=2, first=dict(labels='{{out:start}}'),
         stages=[
             dict(name='network', type='train', config=C + 'mask-rcnn_r18_synthetic.py',
                  cfg_options={{
                      'train_dataloader.dataset.ann_file': '{{previous:labels}}',
                      'load_from': '{{previous_checkpoint:network}}'}}),
             dict(components, name='labels', out='work_dirs/labels_{{round}}.json',
                  cfg_options={{folder: '{{out:class_maps}}'}}),
         ]),
], fast=dict(network=dict()))
"""


def test_rounds_read_what_is_yet_to_be_made(project):
    base = f'{CONFIGS}/irnet/pipeline_synthetic.py'
    Path('rounds.py').write_text(ROUNDS.format(base=base))
    Path('spec.py').write_text(SPEC.format(classes=(*CLASSES[:-1], 'barr')))
    lines = []
    with pytest.raises(StageFailedError) as refused:
        print_plan(options('rounds.py'), commands=True, say=lines.append)
    # Labels that are not there yet have the classes of what they are made from; that
    # they are not there is no problem.
    problems = re.split(r'\n *\d+\. ', str(refused.value))[1:]
    assert all("'barr'" in text for text in problems)
    assert 'start, network@1, labels@1, network@2, labels@2' in problems[0]
    # Named from the data root where the file is below it.
    text = '\n'.join(lines)
    assert 'ann_file=labels_0.json' in text
    assert f'ann_file={project}/work_dirs/labels_1.json' in text


def test_class_that_no_label_file_has(project):
    Path('spec.py').write_text(SPEC.format(classes=(*CLASSES[:-1], 'barr')))
    text = refusal()
    # Once for each file, with the stages that would have found it, and the remedy.
    assert text.count("'barr'") == 2 and text.startswith('2 problems:')
    assert 'similarity_extractor, labeler, pseudo_labels, final_model' in text
    assert 'spec.py (data_spec.classes)' in text


def test_all_problems_of_all_stages_in_one_message(project, monkeypatch):
    Path('spec.py').write_text(SPEC.format(classes=(*CLASSES[:-1], 'barr')))
    next(Path('data/val').iterdir()).unlink()
    Path('work_dirs').write_text('a file in the way')
    small = disk_space.shutil._ntuple_diskusage(10**12, 0, 1000)
    monkeypatch.setattr(disk_space.shutil, 'disk_usage', lambda path: small)
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        monkeypatch.setenv('PORT', port)
        text = refusal(launch=Launch('pytorch', 2))
    for part in ("'barr'", '1 of the 2 images', 'work_dirs is no folder'):
        assert part in text
    for part in ('disk space: 1.0 KB are free', f'launch: port {port} is in use'):
        assert part in text


def test_config_of_a_late_stage_that_cannot_be_read(project, tmp_path):
    folder = tmp_path / 'configs'
    folder.mkdir()
    (folder / 'final.py').write_text('model = dict(\n')
    (folder / 'pipeline.py').write_text(
        f"_base_ = '{CONFIGS}/mal/pipeline_synthetic.py'\n"
        "pipeline = dict(common=dict(final_model=dict(config='final.py'),\n"
        "    final_test=dict(config='none.py')), stages=[\n"
        "    dict(name='scenes'), dict(name='weak_labels'), dict(name='final_model'),\n"
        "    dict(name='final_test')])\n"
    )
    text = refusal(config='configs/pipeline.py')
    assert 'final_model: ' in text and 'final.py, line 1 cannot be read' in text
    assert "final_test: Config 'none.py' does not exist" in text


def test_labels_with_errors_before_the_stage_that_reads_them(project):
    file = Path('data/annotations/instances_val.json')
    content = json.loads(file.read_text())
    content['annotations'][0]['bbox'] = [1, 2]
    file.write_text(json.dumps(content))
    assert f'annotation id {content["annotations"][0]["id"]}' in refusal()


def test_a_fault_of_a_file_is_one_line_for_all_stages(project, capsys):
    file = Path('data/annotations/instances_train.json')
    content = json.loads(file.read_text())
    content['annotations'][0]['id'] = 0
    file.write_text(json.dumps(content))
    print_plan(options(), commands=False, say=lambda line: None)
    assert capsys.readouterr().out.count('annotation-id-zero (1)') == 1
    missing = Path('data/train', content['images'][0]['file_name'])
    missing.unlink()
    text = refusal()
    assert text.count(missing.name) == 1 and 'problems:' not in text
    assert text.startswith('mae, ') and ' 1 of the 3 images of ' in text
    file.write_text('{"images": [')
    text = refusal()
    assert text.count('no valid JSON') == 1


def test_weak_labels_that_would_replace_the_masks(project):
    weak = "weak=dict(extreme_points='annotations/instances_train.json')"
    text = (
        Path('spec.py').read_text().replace("img='train/')", f"img='train/', {weak})")
    )
    Path('spec.py').write_text(text)
    assert 'it would replace its own input' in refusal()


def test_only_what_runs_is_checked(project):
    next(Path('data/val').iterdir()).unlink()
    only = Selection(only=('mae',))
    lines = []
    print_plan(options(selection=only), commands=False, say=lines.append)
    assert 'nothing stands in the way' in lines[-1]
    assert 'images of data' in refusal(selection=Selection(last='labeler'))
    # Without the stages before it, a stage needs what they make.
    text = refusal(selection=Selection(only=('pseudo_labels',)))
    assert "Stage 'labeler' makes it" in text


def test_slurm_without_its_program(project, monkeypatch):
    monkeypatch.setenv('PATH', '')
    assert 'no program srun' in refusal(launch=Launch('slurm', 2))
