"""--labels: a final model on the masks of any file."""

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsis.engine.preflight import PreflightError
from mmwsis.engine.run_config import load_run_config
from mmwsis.formats.provenance import read_provenance

sys.path.insert(0, str(Path(__file__).parent))
from first_problem import check_classes, check_requirements

CONFIGS = Path(__file__).parents[2] / 'configs'
MADE = dict(
    method='MAL',
    config='labeler_vit-b_coco',
    checkpoint='epoch_10.pth',
    checkpoint_sha256='ab12',
    supervision='boxes',
    options=dict(flip=True),
)


@pytest.fixture
def labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write('data/coco/pseudo_labels/mal.json', ('person',), MADE)


def write(name, classes, made=None):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    categories = [dict(id=i, name=name) for i, name in enumerate(classes, start=1)]
    content = dict(images=[], annotations=[], categories=categories)
    if made is not None:
        content['info'] = dict(mmwsis=made)
    path.write_text(json.dumps(content))
    return str(path)


def config(name):
    return CONFIGS / f'{name}.py'


def test_annotation_file_work_dir_and_provenance(labels):
    cfg = load_run_config(config('final_models/mask-rcnn_r50'), labels=labels)
    assert cfg.train_dataloader.dataset.ann_file == 'pseudo_labels/mal.json'
    assert cfg.work_dir == 'work_dirs/mask-rcnn_r50_mal'
    assert cfg.wsis == dict(
        stage='final_model',
        labels=labels,
        method='MAL',
        config='labeler_vit-b_coco',
        checkpoint='epoch_10.pth',
        checkpoint_sha256='ab12',
        supervision='boxes',
    )
    assert cfg.val_dataloader.dataset.ann_file == 'annotations/instances_val2017.json'
    check_requirements(cfg)
    asked = load_run_config(
        config('final_models/mask-rcnn_r50'), work_dir='here', labels=labels
    )
    assert asked.work_dir == 'here'


def test_without_labels_it_is_the_fully_supervised_baseline():
    cfg = load_run_config(config('final_models/mask-rcnn_r50'))
    assert cfg.work_dir == 'work_dirs/fully_supervised/mask-rcnn_r50'
    assert (cfg.wsis.method, cfg.wsis.supervision) == ('FULL', 'masks')
    cfg = load_run_config(config('exits/solov2_r50'))
    assert cfg.work_dir == 'work_dirs/solov2_r50'
    assert (cfg.wsis.method, cfg.wsis.supervision) == ('EXITS', 'extreme_points')


def test_labels_elsewhere_and_below_a_wrapper(labels):
    elsewhere = write('elsewhere/mine.json', ('person',))
    cfg = load_run_config(config('mal/mask-rcnn_x101-32x4d_lvis'), labels=elsewhere)
    inner = cfg.train_dataloader.dataset.dataset
    assert inner.ann_file == str(Path(elsewhere).absolute())
    # Of the labeler that the config was written for nothing is left.
    assert cfg.wsis == dict(stage='final_model', labels=elsewhere)
    assert cfg.work_dir == 'work_dirs/mal/mask-rcnn_x101-32x4d_lvis_mine'


def test_with_another_dataset_that_has_no_masks(labels):
    write('bolts/points.json', ('bolt',))
    own = write('bolts/pseudo_labels/exits.json', ('bolt',), MADE)
    Path('bolts.py').write_text(
        "data_spec = dict(name='bolts', data_root='bolts', classes=('bolt',),\n"
        "    train=dict(img='', weak=dict(extreme_points='points.json')))\n"
    )
    cfg = load_run_config(
        config('final_models/mask-rcnn_r50'), dataset='bolts.py', labels=own
    )
    dataset = cfg.train_dataloader.dataset
    assert (dataset.data_root, dataset.ann_file) == (
        'bolts/',
        'pseudo_labels/exits.json',
    )
    assert cfg.work_dir == 'work_dirs/bolts/mask-rcnn_r50_exits'
    assert cfg.wsis.labels == own
    check_classes(cfg)


def test_labels_of_other_classes_are_refused(labels):
    cfg = load_run_config(config('final_models/mask-rcnn_r50_voc'), labels=labels)
    with pytest.raises(PreflightError) as caught:
        check_classes(cfg)
    assert 'pseudo_labels/mal.json do not agree' in str(caught.value)
    assert "only in the file: 'person'" not in str(caught.value)
    assert "only in the config: 'aeroplane'" in str(caught.value)


def test_missing_labels_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match='--labels: gone.json does not exist'):
        load_run_config(config('final_models/mask-rcnn_r50'), labels='gone.json')


def test_several_datasets_are_left_to_the_config(labels, tmp_path):
    config = tmp_path / 'two.py'
    config.write_text(
        'train_dataloader = dict(dataset=dict(datasets=[dict(a=1), dict(a=2)]))'
    )
    with pytest.raises(ValueError, match='two.py has 2. Set the annotation files'):
        load_run_config(config, labels=labels)


@pytest.mark.parametrize('name', ['exits/labeler_vit-b_coco', 'irnet/cam_r50_voc'])
def test_labelers_take_no_masks(name, labels):
    with pytest.raises(ValueError, match='Final models are in configs/final_models'):
        load_run_config(config(name), labels=labels)


def test_mmdetections_own_configs_take_them(labels):
    cfg = load_run_config(
        'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', labels=labels
    )
    assert cfg.work_dir == 'work_dirs/mask-rcnn_r50_fpn_1x_coco_mal'
    assert Config(cfg.to_dict()).wsis.method == 'MAL'


def test_provenance_is_found_wherever_it_stands(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(dict(note='"mmwsis": {', info=dict(mmwsis=MADE))))
    assert read_provenance(path) == MADE
    path.write_text(json.dumps(dict(info=dict(mmwsis=dict(tool='coco2weak')))))
    assert read_provenance(path) is None
    path.write_text('')
    assert read_provenance(path) is None
