"""What a stage needs follows from the configs of the stages before it."""

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsis.engine.data_spec import apply_data_spec
from mmwsis.engine.requirements import last_checkpoint, requirements_of

sys.path.insert(0, str(Path(__file__).parent))
from first_problem import check_requirements

CONFIGS = Path(__file__).parents[2] / 'configs'
SPEC = dict(
    file='bolts.py',
    name='bolts',
    data_root='bolts',
    classes=('bolt',),
    train=dict(
        ann_file=None,
        img='images/',
        weak=dict(extreme_points='points.json', boxes='boxes.json'),
        panoptic=None,
    ),
    val=None,
)


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def commands(cfg):
    return {item.path: item.command for item in requirements_of(cfg)}


def test_final_model_asks_for_the_masks_of_its_labeler():
    made = commands(load('mal/solov2_r50_voc'))
    assert made['data/voc/pseudo_labels/mal.json'] == (
        'python tools/generate_pseudo_labels.py configs/mal/labeler_vit-b_voc.py '
        'work_dirs/mal/labeler_vit-b_voc/epoch_80.pth'
    )


def test_missing_masks_are_named_with_their_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        check_requirements(load('exits/solov2_r50'))
    (path, command) = str(caught.value).splitlines()
    assert path.startswith('  data/coco/pseudo_labels/exits.json does not exist')
    assert command.endswith(
        'configs/exits/labeler_vit-b_coco.py work_dirs/labeler_vit-b_coco/epoch_10.pth'
    )
    check_requirements(load('final_models/solov2_r50'))


def test_a_classifier_makes_weights_and_maps():
    made = commands(load('irnet/irnet_r18_synthetic'))
    train = 'python tools/train.py configs/irnet/cam_r18_synthetic.py'
    assert made['work_dirs/cam_r18_synthetic/iter_150.pth'] == train
    assert made['data/synthetic/class_maps/irnet'].endswith('iter_150.pth')
    labels = made['data/synthetic/relation_labels/irnet']
    assert labels.endswith('configs/irnet/relation-labels_synthetic.py')


def test_weak_labels_come_from_masks_a_generator_or_an_annotator():
    made = commands(load('irnet/cam_r50_voc'))
    assert made['data/voc/weak/image_tags_train_aug.json'] == (
        'python tools/dataset_converters/coco2weak.py '
        'data/voc/annotations/instances_train_aug.json --level image_tags '
        '--out data/voc/weak/image_tags_train_aug.json'
    )
    made = commands(load('irnet/cam_r18_synthetic'))
    assert made['data/synthetic/weak/image_tags_train.json'] == (
        'python tools/dataset_converters/make_synthetic.py --out data/synthetic'
    )
    made = commands(apply_data_spec(load('mal/labeler_vit-b_coco'), SPEC))
    assert 'annotation tool' in made['bolts/boxes.json']


def test_another_dataset_asks_for_its_own_files():
    made = commands(apply_data_spec(load('exits/solov2_r50'), SPEC))
    assert made['bolts/pseudo_labels/exits.json'] == (
        'python tools/generate_pseudo_labels.py configs/exits/labeler_vit-b_coco.py '
        'work_dirs/bolts/labeler_vit-b_coco/epoch_10.pth --dataset bolts.py'
    )


def test_configs_are_found_from_the_working_directory_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('mine.py').write_text(
        "wsis = dict(produces='mine.json')\ntrain_dataloader = dict()\n"
        "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3)\n"
    )
    made = commands(Config(dict(wsis=dict(labeler='mine.py'))))
    assert made == {
        'work_dirs/mine/epoch_3.pth': 'python tools/train.py mine.py',
        'mine.json': 'python tools/generate_pseudo_labels.py mine.py '
        'work_dirs/mine/epoch_3.pth',
    }
    cfg = Config(dict(wsis=dict(labeler='configs/gone.py')))
    with pytest.raises(FileNotFoundError, match='gone.py, which does not exist'):
        check_requirements(cfg)


def test_models_without_training_have_no_checkpoint():
    file = CONFIGS / 'irnet/relation-labels_voc.py'
    assert last_checkpoint(Config.fromfile(file), file) is None


def test_proposals_of_the_images_to_measure_on_are_those_of_the_dataset():
    cfg = load('wise/wise_r50_coco')
    made = commands(cfg)['data/coco/proposals/built_in_val']
    assert 'ann_file=annotations/instances_val2017.json' in made
    val = dict(ann_file='val.json', img='images/', panoptic=None)
    for spec in (SPEC | dict(val=val), SPEC):
        spec['train'] = dict(SPEC['train'], weak=dict(points='clicks.json'))
        found = commands(apply_data_spec(cfg, spec))
        assert found['bolts/proposals/built_in'].endswith(' --dataset bolts.py')
        if spec['val'] is None:
            assert 'bolts/proposals/built_in_val' not in found
        else:
            options = 'dataset.ann_file=val.json', 'data_prefix.img=images/'
            assert all(one in found['bolts/proposals/built_in_val'] for one in options)


def test_weak_labels_without_masks_may_have_a_command_of_their_own():
    made = commands(load('wise/wise_r50_kitti'))['data/kitti/weak/points_train.json']
    assert made.startswith('python tools/dataset_converters/kitti2coco.py boxes ')
