"""Weak panoptic's pipelines as plans: what each stage reads, round by round."""

from pathlib import Path

import pytest

from mmwsis.pipelines import load_pipeline

FOLDER = Path(__file__).parents[2] / 'configs/weak_panoptic'
TRAIN = 'train_dataloader.dataset.{}pipeline.{}.ann_file'
MERGE = 'model.test_cfg.refinement.merge'


def stages_of(name, **options):
    pipeline = load_pipeline(FOLDER / f'{name}.py', **options)
    return {stage.name: stage for stage in pipeline.stages}


def test_voc_learns_from_the_labels_of_boxes_alone():
    stages = stages_of('pipeline')
    first = 'data/voc/pseudo_labels/weak_panoptic_round0.json'
    assert stages['first_labels'].out == first
    assert not {'classifier', 'tag_labels', 'labels@1'} & set(stages)
    for name in ('network@1', 'instance_network'):
        assert stages[name].cfg_options[TRAIN.format('', 1)] == first
    again = stages_of('pipeline', rounds=2)
    second = again['labels@1'].out
    assert again['network@2'].cfg_options[TRAIN.format('', 1)] == second != first


def test_cityscapes_has_six_rounds_of_fine_and_coarse_images():
    stages = stages_of('pipeline_cityscapes')
    folder = 'data/cityscapes/pseudo_labels/weak_panoptic'
    for number in range(1, 7):
        options = stages[f'network@{number}'].cfg_options
        for index, kind in enumerate(('', '_extra')):
            key = TRAIN.format(f'datasets.{index}.', 1)
            assert options[key] == f'{folder}{kind}_round{number - 1}.json'
        # After five rounds things need not come from the box label maps.
        merge = stages[f'labels@{number}'].cfg_options.get(MERGE, True)
        assert merge == (number < 6)
    assert 'network@7' not in stages and 'extra_labels@6' not in stages
    last = stages['instance_network'].cfg_options[TRAIN.format('', 1)]
    assert last == f'{folder}_round6.json' == stages['labels@6'].out
    for name, place in (('extra_first_labels', ''), ('extra_labels@3', 'refinement.')):
        options = stages[name].cfg_options
        for switch in ('tags', 'box_prior', 'instances'):
            assert options[f'model.test_cfg.{place}{switch}'] is False
        assert f'model.test_cfg.{place}merge' not in options


def test_semi_supervision_changes_label_file_and_two_configs():
    weak, semi = stages_of('pipeline_synthetic'), stages_of('pipeline_semi_synthetic')
    mixed = 'data/synthetic/weak/masks25_boxes75_panoptic_train.json'
    assert semi['weak_labels'].outputs == (mixed,)
    for name, stage in semi.items():
        config = getattr(stage, 'config', '')
        if '_semi_' in config:
            assert config.replace('_semi_', '_') == weak[name].config
        elif name in ('classifier', 'detector', 'box_labels', 'instance_network'):
            assert mixed in stage.cfg_options.values()
    assert semi['report'].full is None


@pytest.mark.parametrize('name', ['pipeline', 'pipeline_small', 'pipeline_synthetic'])
def test_weak_labels_alone_are_enough(name):
    weak = dict(boxes='weak/boxes.json', image_tags='weak/tags.json')
    spec = dict(
        name='bench',
        data_root='bench',
        classes=('bolt',),
        stuff_classes=('table',),
        train=dict(ann_file=None, img='images/', weak=weak),
        val=None,
        image_scale=None,
        generator=None,
    )
    stages = stages_of(name, data_spec=spec)
    needless = {'scenes', 'weak_labels', 'first_quality', 'full_network', 'full_test'}
    needless |= {'network_test@1', 'detector_test', 'val_detections', 'quality'}
    assert not needless & set(stages)
    assert {'first_labels', 'network@1', 'detections', 'pseudo_labels'} <= set(stages)
    assert stages['report'].table == {}


@pytest.mark.parametrize('labels', ['weak', 'full'])
def test_both_networks_of_voc_begin_with_what_coco_taught(labels):
    stages = stages_of('pipeline_coco', data=f'voc_coco_{labels}')
    plain = stages_of('pipeline')
    first = stages['coco_network'].cfg_options[TRAIN.format('', 1)]
    if labels == 'weak':
        assert first == stages['coco_box_labels'].out
        assert stages['coco_box_labels'].cfg_options == {
            'pseudo_label_dataloader.dataset.pipeline.1.path': (
                stages['coco_proposals'].out
            )
        }
    else:
        assert 'coco_box_labels' not in stages
        assert (first,) == stages['coco_weak_labels'].inputs
    for name in ('network@1', 'full_network'):
        options = {**stages[name].cfg_options}
        assert options.pop('load_from') == '{checkpoint:coco_network}'
        assert options == plain[name].cfg_options
    # No training goes on where one of other weights has ended.
    trained = {name for name in plain if plain[name].kind == 'train'} - {'detector'}
    assert all(stages[name].work_dir != plain[name].work_dir for name in trained)
