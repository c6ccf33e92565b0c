"""Weak panoptic's pipelines as plans: what each stage reads, round by round."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsis.engine.data_spec import load_data_spec
from mmwsis.engine.preflight import missing_requirements
from mmwsis.pipelines import load_pipeline
from mmwsis.pipelines.jobs import JobFactory
from mmwsis.pipelines.report_data import final_metrics

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


def test_things_of_coarse_images_are_their_own_too_after_five_rounds():
    stages = stages_of('pipeline_cityscapes', rounds=7)
    for number in range(1, 7):
        for name in ('labels', 'extra_labels'):
            options = stages[f'{name}@{number}'].cfg_options
            assert options.get(MERGE, True) == (number < 6), (name, number)
    options = stages['extra_labels@6'].cfg_options
    assert options['model.test_cfg.refinement.tags'] is False


def test_the_report_has_the_figures_that_the_paper_has_of_the_dataset():
    ranges = dict(pipeline='AP^r_vol', pipeline_cityscapes='AP^r_vol .5:.95')
    measured = {'panoptic/APr_vol': 0.5, 'panoptic/APr_vol_50_95': 0.25}
    measured['panoptic/APr_vol_50_95_th'] = 0.125
    measured['panoptic/APr_vol_50_95_st'] = 0.0625
    found = final_metrics(measured)
    for name, metric in ranges.items():
        metrics = stages_of(name)['report'].table['metrics']
        assert [one for one in metrics if one in ranges.values()] == [metric]
    assert [found[one] for one in metrics if one in found] == [0.25, 0.125, 0.0625]
    assert found['AP^r_vol'] == 0.5


@pytest.mark.parametrize('kind', ['synthetic', 'small', 'cityscapes'])
def test_semi_supervision_labels_with_what_people_drew(kind):
    weak, semi = stages_of(f'pipeline_{kind}'), stages_of(f'pipeline_semi_{kind}')
    (mixed,) = semi['mixed_labels'].outputs
    label = 'pseudo_label_dataloader.dataset.'
    rounds = [name for name in semi if name.startswith('labels@')]
    for name in ('first_labels', *rounds, 'pseudo_labels'):
        assert semi[name].out != weak[name].out
    for name in ('first_labels', *rounds):
        added = semi[name].cfg_options.items() - weak[name].cfg_options.items()
        assert weak[name].cfg_options.items() <= semi[name].cfg_options.items()
        added = dict(added)
        assert added.pop(f'{label}ann_file') == mixed
        assert added.pop(f'{label}supervision') == added.pop('wsis.supervision')
        truth, folder = (
            f'{label}pipeline.4.{key}' for key in ('ann_file', 'seg_prefix')
        )
        assert added.pop(truth) in semi['mixed_labels'].command
        assert added.pop(folder) in semi['mixed_labels'].command
        assert not added
        config = Config.fromfile(FOLDER / Path(semi[name].config).name)
        step = config.pseudo_label_dataloader.dataset.pipeline[4]
        assert step == dict(
            type='mmwsis.LoadFullLabels', ann_file=None, seg_prefix=None
        )
    # What learns from boxes and tags alone is shared, or labelled from boxes.
    shared = ['proposals', 'box_labels', 'classifier', 'tag_labels', 'detections']
    shared += ['extra_first_labels'] if kind == 'cityscapes' else []
    assert all(semi[name] == weak[name] for name in shared)
    trained = ('network@1', 'network_test@1', 'instance_network', 'piecewise_test')
    assert all(semi[name].work_dir != weak[name].work_dir for name in trained)
    assert semi['instance_network'].work_dir == semi['pseudo_labels'].work_dir
    key = TRAIN.format('datasets.0.' if kind == 'cityscapes' else '', 1)
    assert semi['network@1'].cfg_options[key] == semi['first_labels'].out
    final = semi['instance_network'].cfg_options[TRAIN.format('', 1)]
    assert final == semi[rounds[-1]].out
    assert semi['report'].full is None and 'mixed_labels' not in weak


@pytest.mark.parametrize('kind', ['synthetic', 'small', 'cityscapes'])
def test_labels_of_the_weak_pipeline_are_not_asked_for(kind, tmp_path, monkeypatch):
    """The configs name them; options have put others in their place."""
    pipeline = load_pipeline(FOLDER / f'pipeline_semi_{kind}.py')
    factory = JobFactory(pipeline, tmp_path)
    monkeypatch.chdir(tmp_path)
    for stage in pipeline.stages:
        if stage.name in ('network@1', 'network@2', 'instance_network'):
            missing = missing_requirements(factory.config_of(stage))
            assert not [one for one in missing if one.endswith('panoptic_round0.json')]


def test_coarse_images_have_no_full_labels():
    weak, semi = (stages_of(f'pipeline_{n}cityscapes') for n in ('', 'semi_'))
    one, other = weak['extra_labels@1'], semi['extra_labels@1']
    assert one.out != other.out
    assert one.cfg_options == other.cfg_options


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


def test_a_detector_without_instances_to_measure_on_stops_the_plan(tmp_path):
    part = dict(ann_file=None, img='images/', panoptic=dict(ann_file='p.json', seg='p'))
    spec = dict(
        name='bench',
        file='bench.py',
        data_root='bench',
        classes=('bolt',),
        stuff_classes=('table',),
        train=dict(part, weak=dict(boxes='weak/boxes.json')),
        val=part,
        image_scale=None,
        generator=None,
    )
    pipeline = load_pipeline(FOLDER / 'pipeline_small.py', data_spec=spec)
    factory = JobFactory(pipeline, tmp_path, dataset=Path('bench.py'))
    stages = {stage.name: stage for stage in pipeline.stages}
    assert not {'detector_test', 'val_detections'} & set(stages)
    factory.config_of(stages['network@1'])
    with pytest.raises(ValueError) as caught:
        factory.config_of(stages['detector'])
    assert str(caught.value) == (
        'bench.py: this config measures masks of instances, but data_spec.val.ann_file '
        'is None; coco2weak.py --level masks makes that file of a panoptic one.'
    )


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


def test_labels_of_the_networks_of_voc_do_not_replace_each_other():
    runs = [
        stages_of('pipeline', rounds=2),
        stages_of('pipeline_coco', data='voc_coco_weak', rounds=2),
        stages_of('pipeline_coco', data='voc_coco_full', rounds=2),
    ]
    for name in ('labels@1', 'pseudo_labels'):
        assert len({stages[name].out for stages in runs}) == 3
        for stages in runs:  # they are made by the network that was trained
            network = {'labels@1': 'network@1'}.get(name, 'instance_network')
            assert stages[name].work_dir == stages[network].work_dir
    for stages in runs:
        assert stages['network@2'].cfg_options[TRAIN.format('', 1)] == (
            stages['labels@1'].out
        )
    # What GrabCut and the detector make is the same in all three.
    for name in ('first_labels', 'detections'):
        assert len({(one[name].out, one[name].work_dir) for one in runs}) == 1


def test_pngs_of_the_truth_may_lie_in_a_folder_of_another_name(tmp_path):
    """Not that of the JSON's name: every stage that reads the truth is told."""
    for name in ('annotations', 'images', 'segments', 'segments_val'):
        (tmp_path / name).mkdir()
    kinds = [dict(id=1, name='car', isthing=1), dict(id=2, name='road', isthing=0)]
    for name in ('panoptic', 'panoptic_val'):
        text = json.dumps(dict(images=[], annotations=[], categories=kinds))
        (tmp_path / f'annotations/{name}.json').write_text(text)
    spec = dict(
        name='streets',
        data_root=str(tmp_path),
        train=dict(
            img='images',
            panoptic=dict(ann_file='annotations/panoptic.json', seg='segments'),
            weak=dict(boxes='weak/boxes.json'),
        ),
        val=dict(
            img='images',
            panoptic=dict(ann_file='annotations/panoptic_val.json', seg='segments_val'),
        ),
    )
    file = tmp_path / 'streets.py'
    file.write_text(f'data_spec = {spec!r}\n')
    stages = stages_of('pipeline_small', data_spec=load_data_spec(file))
    folder = f'{tmp_path}/segments/'
    command = stages['weak_labels'].command
    assert command[command.index('--panoptic-dir') + 1] == folder
    for name in ('first_quality', 'label_quality@1', 'label_quality@2', 'quality'):
        assert stages[name].gt_seg_dir == folder
    for name in ('full_network', 'full_supervision'):
        options = stages[name].cfg_options
        assert options['train_dataloader.dataset.pipeline.1.seg_prefix'] == folder
        assert stages[name].work_dir.endswith('_streets')
