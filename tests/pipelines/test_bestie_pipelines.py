"""BESTIE's pipelines as plans: what each stage reads, from tags and from points."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from mmwsis.models.detectors import BESTIE
from mmwsis.models.labelers import CAMClassifier
from mmwsis.pipelines import load_pipeline
from mmwsis.pipelines.jobs import JobFactory
from mmwsis.pipelines.report_figures import _Figures
from mmwsis.pipelines.stages import ConfigStage, GenerateStage

FOLDER = Path(__file__).parents[2] / 'configs/bestie'
MAPS = 'train_dataloader.dataset.pipeline.1.folder'
CUES = 'train_dataloader.dataset.pipeline.2.ann_file'
SCORE = 'train_dataloader.dataset.pipeline.2.score_thr'
LABELS = 'data/voc/pseudo_labels'
OWN_MAPS = """
_base_ = 'mmwsis::bestie/pipeline.py'

pipeline = dict(
    data=dict(voc=dict(semantic_maps='data/voc/pseudo_labels/pmm')),
    without=[
        *('irnet_classifier', 'class_maps', 'relation_labels'),
        *('irnet', 'semantic_maps'),
    ],
)
"""


def stages_of(file, **options):
    return {stage.name: stage for stage in load_pipeline(file, **options).stages}


def test_tags_to_maps_and_cues_to_the_refined_model():
    stages = stages_of(FOLDER / 'pipeline.py')
    assert list(stages) == [
        'weak_labels',
        'irnet_classifier',
        'class_maps',
        'relation_labels',
        'irnet',
        'semantic_maps',
        'map_quality',
        'classifier',
        'cues',
        'cue_quality',
        'network@1',
        'network_test@1',
        'pseudo_labels',
        'quality',
        'final_model',
        'final_test',
        'full_supervision',
        'full_test',
        'report',
    ]
    assert stages['semantic_maps'].out == stages['map_quality'].pseudo
    assert stages['network@1'].cfg_options == {
        MAPS: f'{LABELS}/irnet_semantic',
        CUES: f'{LABELS}/bestie_cues.json',
    }
    assert stages['pseudo_labels'].out == f'{LABELS}/bestie.json'
    assert stages['report'].weak == 'final_test'


@pytest.mark.parametrize('scale', ['', '_small', '_synthetic'])
def test_points_take_the_place_of_cues_and_of_tags(scale):
    tags = stages_of(FOLDER / f'pipeline{scale}.py')
    points = stages_of(FOLDER / f'pipeline_points{scale}.py')
    cues = {'classifier', 'cues', 'cue_quality'}
    assert set(tags) - set(points) == cues
    assert set(points) - set(tags) == {'tags'}
    # The same command as there: two pipelines do not take turns in changing the file.
    assert points['tags'].command == tags['weak_labels'].command
    assert 'weak/points_' in points['weak_labels'].outputs[0]
    (option,) = points['network@1'].cfg_options.items()
    assert option == (MAPS, tags['network@1'].cfg_options[MAPS])


def test_the_classifier_of_scenes_starts_from_irnets():
    stages = stages_of(FOLDER / 'pipeline_synthetic.py')
    options = stages['classifier'].cfg_options
    assert options == stages['irnet'].cfg_options
    assert list(options.values()) == ['{checkpoint:irnet_classifier}']


def test_tags_follow_from_clicks_where_there_are_no_masks():
    train = dict(
        ann_file=None, img='images/', weak=dict(points='c.json', image_tags='t')
    )
    spec = dict(name='bolts', data_root='bolts', train=train, val=None, generator=None)
    stages = stages_of(FOLDER / 'pipeline_points_small.py', data_spec=spec)
    assert next(iter(stages)) == 'tags_of_points'
    assert 'tags' not in stages and 'weak_labels' not in stages
    assert stages['tags_of_points'].inputs == ('bolts/c.json',)
    assert stages['tags_of_points'].outputs == ('bolts/t',)


def test_further_rounds_learn_from_the_network_before():
    stages = stages_of(FOLDER / 'pipeline.py', rounds=3)
    assert stages['network@3'].cfg_options == {
        MAPS: f'{LABELS}/bestie_semantic_round2',
        CUES: f'{LABELS}/bestie_cues_round2.json',
        SCORE: 0.3,
    }
    assert stages['next_maps@2'].out == f'{LABELS}/bestie_semantic_round2'
    assert SCORE not in stages['network@1'].cfg_options
    assert 'network_test@3' in stages and 'next_maps@3' not in stages
    points = stages_of(FOLDER / 'pipeline_points.py', rounds=2)
    assert points['network@2'].cfg_options == {
        MAPS: f'{LABELS}/bestie_points_semantic_round1'
    }


def test_maps_of_another_method_are_one_line(tmp_path):
    """As docs/methods/bestie.md has it, in a folder of the user's."""
    page = (FOLDER.parents[1] / 'docs/methods/bestie.md').read_text(encoding='utf-8')
    assert OWN_MAPS.strip() in page
    file = tmp_path / 'pipeline.py'
    file.write_text(OWN_MAPS)
    pipeline = load_pipeline(file)
    stages = {stage.name: stage for stage in pipeline.stages}
    assert list(stages)[:3] == ['weak_labels', 'map_quality', 'classifier']
    assert stages['map_quality'].pseudo == 'data/voc/pseudo_labels/pmm'
    factory = JobFactory(pipeline, tmp_path)
    for stage in stages.values():
        if isinstance(stage, ConfigStage):
            assert factory.config_of(stage).data_spec.name == 'voc'
    network = factory.config_of(stages['network@1'])
    folder = network.train_dataloader.dataset.pipeline[1].folder
    assert folder == 'data/voc/pseudo_labels/pmm'
    # The manifest has the maps that are read, and not those of the config.
    for name in ('pmm', 'irnet_semantic'):
        index = tmp_path / f'data/voc/pseudo_labels/{name}/index.json'
        index.parent.mkdir(parents=True)
        index.touch()
    job = factory.make(stages['network@1'])
    assert job.inputs == [Path('data/voc/pseudo_labels/pmm/index.json')]


@pytest.mark.parametrize(
    ('file', 'cues'),
    [
        ('pipeline', True),
        ('pipeline_small', True),
        ('pipeline_synthetic', True),
        ('pipeline_points', False),
        ('pipeline_points_small', False),
        ('pipeline_points_synthetic', False),
    ],
)
def test_the_report_has_the_pictures_of_cues_and_refined_labels(file, cues, tmp_path):
    pipeline = load_pipeline(FOLDER / f'{file}.py', rounds=2)
    factory = JobFactory(pipeline, tmp_path)
    done = {one.name: SimpleNamespace(status='finished') for one in pipeline.stages}
    runner = SimpleNamespace(
        factory=factory,
        root=tmp_path,
        pipeline=pipeline,
        manifest=SimpleNamespace(stages=done),
    )
    figures = _Figures(runner, pipeline.stages[-1])
    labelled = [one for one in figures.latest if isinstance(one, GenerateStage)]
    titles = [title for title, _, _ in figures._of_generators(labelled)]
    assert titles.count(BESTIE.report_picture['title']) == 1
    # One of IRNet's classifier is its own; this one has the cues.
    assert titles.count(CAMClassifier.report_picture['title']) == cues
