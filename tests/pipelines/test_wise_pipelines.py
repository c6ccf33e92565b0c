"""WISE's pipelines as plans: what each stage reads, and proposals of another method."""

from pathlib import Path

import pytest

from mmwsis.pipelines import load_pipeline
from mmwsis.pipelines.jobs import JobFactory

FOLDER = Path(__file__).parents[2] / 'configs/wise'
TRAIN, VAL, TEST, LABEL = (
    f'{loader}_dataloader.dataset.pipeline.1.path'
    for loader in ('train', 'val', 'test', 'pseudo_label')
)
CHOSEN = 'model.test_cfg.cand_min_score'
IMPORTED = """
_base_ = 'mmwsis::wise/pipeline.py'

pipeline = dict(
    data=dict(voc=dict(proposals='data/voc/proposals/mcg')),
    without=['proposals', 'val_proposals'],
)
"""
ALL = [
    *('weak_labels', 'proposals', 'val_proposals', 'proposal_recall', 'network'),
    *('network_test', 'pseudo_labels', 'quality', 'final_model', 'final_test'),
    *('full_supervision', 'full_test', 'report'),
]


def stages_of(file, **options):
    return {stage.name: stage for stage in load_pipeline(file, **options).stages}


def test_points_and_proposals_to_the_final_model():
    stages = stages_of(FOLDER / 'pipeline.py')
    assert list(stages) == ALL
    assert stages['weak_labels'].outputs == ('data/voc/weak/points_train.json',)
    made, measured = 'data/voc/proposals/built_in', 'data/voc/proposals/built_in_val'
    assert (stages['proposals'].out, stages['val_proposals'].out) == (made, measured)
    assert stages['proposal_recall'].pseudo == made
    tested = {VAL: measured, TEST: measured, CHOSEN: 0}
    assert stages['network'].cfg_options == {TRAIN: made, **tested}
    assert stages['network_test'].cfg_options == tested
    assert stages['pseudo_labels'].cfg_options == {LABEL: made, CHOSEN: 0}
    assert stages['pseudo_labels'].out == 'data/voc/pseudo_labels/wise.json'
    assert stages['report'].weak == 'final_test'


@pytest.mark.parametrize('data', ['voc', 'kitti'])
def test_the_generator_reads_the_images_of_both_splits(data, tmp_path):
    pipeline = load_pipeline(FOLDER / 'pipeline.py', data=data)
    spec, factory = pipeline.data_spec, JobFactory(pipeline, tmp_path)
    stages = {stage.name: stage for stage in pipeline.stages}
    for name, labels, img in (
        ('proposals', spec['train']['weak']['points'], spec['train']['img']),
        ('val_proposals', spec['val']['ann_file'], spec['val']['img']),
    ):
        dataset = factory.config_of(stages[name]).pseudo_label_dataloader.dataset
        assert dataset.data_root == spec['data_root']
        assert dataset.ann_file == labels
        assert dataset.data_prefix.img == img.rstrip('/')


@pytest.mark.parametrize('file', ['pipeline_small.py', 'pipeline_synthetic.py'])
def test_one_list_of_stages_for_all_sizes(file):
    names = list(stages_of(FOLDER / file, fast=True))
    assert names == [*(['scenes'] if 'synthetic' in file else []), *ALL]


@pytest.mark.parametrize('data', ['kitti', 'cityscapes'])
def test_the_network_is_the_final_model_where_it_has_no_baseline(data):
    stages = stages_of(FOLDER / 'pipeline.py', data=data)
    left_out = {'final_model', 'final_test', 'full_supervision', 'full_test'}
    if data == 'kitti':  # no masks of the training images
        left_out |= {'weak_labels', 'proposal_recall', 'quality'}
    assert list(stages) == [name for name in ALL if name not in left_out]
    assert stages['report'].weak == 'network_test'
    assert stages['report'].full is None


def test_proposals_of_another_method_are_one_line(tmp_path):
    """As docs/methods/wise.md has it, in a folder of the user's."""
    page = (FOLDER.parents[1] / 'docs/methods/wise.md').read_text(encoding='utf-8')
    assert IMPORTED.strip() in page
    file = tmp_path / 'pipeline.py'
    file.write_text(IMPORTED)
    stages = stages_of(file)
    assert list(stages)[:3] == ['weak_labels', 'proposal_recall', 'network']
    folder = 'data/voc/proposals/mcg'
    assert stages['proposal_recall'].pseudo == folder
    assert stages['network'].cfg_options[TRAIN] == folder
    assert stages['network_test'].cfg_options[TEST] == f'{folder}_val'
    assert stages['pseudo_labels'].cfg_options[LABEL] == folder
    file.write_text(IMPORTED.replace("/mcg'", "/sharpmask', min_score=0.5"))
    stages = stages_of(file)
    for name in ('network', 'network_test', 'pseudo_labels'):
        assert stages[name].cfg_options[CHOSEN] == 0.5
