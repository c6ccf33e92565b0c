"""A panoptic dataset of one's own, from one file."""

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmwsis.dataset_converters.coco2weak import convert_file
from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.datasets import CocoWeakDataset
from mmwsis.engine.data_spec import apply_data_spec, load_data_spec
from mmwsis.engine.preflight import PreflightError
from mmwsis.engine.requirements import requirements_of
from mmwsis.structures.supervision import Supervision

sys.path.insert(0, str(Path(__file__).parent))
from first_problem import check_classes

CONFIGS = Path(__file__).parents[2] / 'configs'
THINGS = ('disc', 'ring', 'square', 'triangle', 'star', 'bar')
STUFF = ('sky', 'grass', 'sand')
PANOPTIC_FPN = 'mmdet::panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py'
MASK2FORMER = 'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py'


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp('panoptic') / 'scenes'
    make_synthetic(root, SyntheticSettings(train=4, val=2, size=64, seed=1))
    return root


def write(folder, scenes, **changes):
    """A dataset file that knows panoptic files alone."""
    spec = dict(
        name='scenes',
        data_root=str(scenes),
        train=dict(
            img='train',
            panoptic=dict(ann_file='annotations/panoptic_train.json'),
        ),
        val=dict(
            img='val',
            panoptic=dict(
                ann_file='annotations/panoptic_val.json', seg='annotations/panoptic_val'
            ),
        ),
    )
    spec.update(changes)
    file = folder / 'scenes.py'
    file.write_text(f'data_spec = {spec!r}\n')
    return file


def mmdet_config(name):
    return Config.fromfile(Config._get_cfg_path(name, '')[0])


def test_classes_and_folders_are_those_of_the_panoptic_files(tmp_path, scenes):
    spec = load_data_spec(write(tmp_path, scenes))
    assert (spec['classes'], spec['stuff_classes']) == (THINGS, STUFF)
    assert spec['train']['panoptic'] == dict(
        ann_file='annotations/panoptic_train.json', seg='annotations/panoptic_train/'
    )
    assert spec['train']['ann_file'] is spec['val']['ann_file'] is None
    assert spec['train']['weak']['boxes'] == 'weak/boxes_panoptic_train.json'


@pytest.mark.parametrize('name', [PANOPTIC_FPN, MASK2FORMER])
def test_panoptic_models_of_mmdet_fit(name, tmp_path, scenes):
    """Datasets load, counts agree, and a wrong one is still found before the run."""
    cfg = mmdet_config(name)
    for split in ('train', 'val', 'test'):
        for step in cfg[f'{split}_dataloader'].dataset.pipeline:
            if step.type == 'LoadPanopticAnnotations':
                step.type = 'mmwsis.LoadPanopticAnnotations'
    cfg = apply_data_spec(cfg, load_data_spec(write(tmp_path, scenes)))
    init_default_scope('mmdet')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = DATASETS.build(cfg[loader].dataset)
        assert dataset.metainfo['classes'] == (*THINGS, *STUFF)
        assert dataset.metainfo['stuff_classes'] == STUFF
        info = dataset.get_data_info(0)
        assert Path(info['img_path']).is_file()
        assert Path(info['seg_map_path']).is_file()
        labels = {entry['category'] for entry in info['segments_info']}
        assert labels <= set(range(9)) and max(labels) >= 6
        sample = dataset[0]['data_samples']
        if 'train' in loader:
            assert set(sample.gt_sem_seg.sem_seg.unique().tolist()) <= {*range(9), 255}
    check_classes(cfg)
    evaluators = cfg.val_evaluator
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    # COCO's metric of instances has no file to read.
    assert [one.type for one in evaluators] == ['CocoPanopticMetric']
    assert evaluators[0].seg_prefix == f'{scenes}/annotations/panoptic_val/'
    fusion = cfg.model.panoptic_fusion_head
    assert (fusion.num_things_classes, fusion.num_stuff_classes) == (6, 3)
    if name == PANOPTIC_FPN:
        semantic = cfg.model.semantic_head
        assert (semantic.num_things_classes, semantic.num_stuff_classes) == (6, 3)
        assert cfg.model.roi_head.mask_head.num_classes == 6
    else:
        assert cfg.model.panoptic_head.loss_cls.class_weight == [1.0] * 9 + [0.1]
    fusion.num_stuff_classes = 4
    with pytest.raises(PreflightError, match='num_stuff_classes is 4.*classes=3'):
        check_classes(cfg)


def test_with_masks_of_instances_their_metric_stays(tmp_path, scenes):
    val = dict(
        img='val',
        ann_file='annotations/instances_val.json',
        panoptic=dict(ann_file='annotations/panoptic_val.json'),
    )
    spec = load_data_spec(write(tmp_path, scenes, val=val))
    cfg = apply_data_spec(mmdet_config(MASK2FORMER), spec)
    assert [(one.type, one.ann_file) for one in cfg.val_evaluator] == [
        ('CocoPanopticMetric', f'{scenes}/annotations/panoptic_val.json'),
        ('CocoMetric', f'{scenes}/annotations/instances_val.json'),
    ]


def test_what_is_missing_is_named(tmp_path, scenes):
    spec = load_data_spec(write(tmp_path, scenes))
    instances = mmdet_config('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py')
    with pytest.raises(ValueError, match='scenes.py: .*train.ann_file is None.*masks'):
        apply_data_spec(instances, spec)
    labeler = Config.fromfile(CONFIGS / 'mal/labeler_vit-b_coco.py')
    with pytest.raises(ValueError, match=r'val.ann_file is None; coco2weak.py --level'):
        apply_data_spec(labeler, spec)
    things = dict(ann_file='annotations/instances_train.json', img='train')
    without = load_data_spec(write(tmp_path, scenes, train=things))
    with pytest.raises(ValueError, match='train.panoptic is missing'):
        apply_data_spec(mmdet_config(PANOPTIC_FPN), without)
    no_stuff = write(tmp_path, scenes, classes=THINGS, stuff_classes=())
    with pytest.raises(ValueError, match=r'num_stuff_classes=53\) needs the dataset'):
        apply_data_spec(mmdet_config(PANOPTIC_FPN), load_data_spec(no_stuff))
    with pytest.raises(FileNotFoundError, match='val.panoptic.seg: there is no folder'):
        load_data_spec(
            write(
                tmp_path,
                scenes,
                val=dict(
                    img='val',
                    panoptic=dict(ann_file='annotations/panoptic_val.json', seg='x'),
                ),
            )
        )
    palette = [(0, 0, 0)] * 6
    with pytest.raises(ValueError, match='each of the 9 classes'):
        load_data_spec(write(tmp_path, scenes, palette=palette))


def test_labels_of_stuff_before_things_are_refused(tmp_path, scenes):
    """MMDetection would number them otherwise than the model, without a word."""
    file = scenes / 'annotations/panoptic_train.json'
    document = json.loads(file.read_text())
    document['categories'].reverse()
    other = scenes / 'annotations/turned.json'
    other.write_text(json.dumps(document))
    train = dict(
        img='train',
        panoptic=dict(
            ann_file='annotations/turned.json', seg='annotations/panoptic_train'
        ),
    )
    with pytest.raises(ValueError, match='turned.json lists its categories as'):
        load_data_spec(write(tmp_path, scenes, train=train))


def test_weak_labels_are_made_of_the_panoptic_file(tmp_path, scenes):
    """Boxes of things, tags of things and stuff: the supervision of weak panoptic."""
    spec = load_data_spec(write(tmp_path, scenes))
    val = dict(img='val', ann_file='annotations/instances_val.json')
    with_val = load_data_spec(write(tmp_path, scenes, val=val))
    labeler = Config.fromfile(CONFIGS / 'mal/labeler_vit-b_coco.py')
    fitted = apply_data_spec(labeler, with_val)
    (needed,) = (x for x in requirements_of(fitted) if '/boxes_' in x.path)
    assert needed.command == (
        'python tools/dataset_converters/coco2weak.py '
        f'{scenes}/annotations/panoptic_train.json --level boxes --out {needed.path} '
        f'--panoptic-dir {scenes}/annotations/panoptic_train/'
    )
    convert_file(
        scenes / 'annotations/panoptic_train.json', {Supervision.BOXES: needed.path}
    )
    stuff = dict(classes=(*THINGS, *STUFF), stuff_classes=STUFF)
    loader = dict(
        dataset=dict(type='mmwsis.CocoWeakDataset', supervision='boxes', metainfo=stuff)
    )
    cfg = apply_data_spec(Config(dict(train_dataloader=loader)), spec)
    settings = cfg.train_dataloader.dataset.to_dict()
    settings.pop('type')
    dataset = CocoWeakDataset(**settings)
    assert {tag for i in range(len(dataset)) for tag in dataset[i]['tags']} >= {6, 7}


def test_weak_datasets_of_a_panoptic_model_have_its_stuff(tmp_path, scenes):
    """Else its counts would not fit the images that it labels."""
    cfg = mmdet_config(PANOPTIC_FPN)
    dataset = dict(type='mmwsis.CocoWeakDataset', supervision='boxes')
    cfg.pseudo_label_dataloader = dict(dataset=dataset)
    cfg = apply_data_spec(cfg, load_data_spec(write(tmp_path, scenes)))
    metainfo = cfg.pseudo_label_dataloader.dataset.metainfo
    assert metainfo.classes == (*THINGS, *STUFF) and metainfo.stuff_classes == STUFF
    check_classes(cfg)


def test_classifier_of_things_and_stuff_fits(tmp_path, scenes):
    """It counts stuff without saying so, and reads the file of boxes for its tags."""
    labeler = Config.fromfile(CONFIGS / 'weak_panoptic/classifier_r50_cityscapes.py')
    assert labeler.model.head.num_classes == 19
    cfg = apply_data_spec(labeler, load_data_spec(write(tmp_path, scenes)))
    assert cfg.model.head.num_classes == 9
    for loader in (cfg.train_dataloader, cfg.pseudo_label_dataloader):
        dataset = loader.dataset
        assert dataset.metainfo.classes == (*THINGS, *STUFF)
        assert dataset.supervision == 'image_tags'
        assert dataset.ann_file == 'weak/boxes_panoptic_train.json'
    things = load_data_spec(write(tmp_path, scenes, classes=THINGS, stuff_classes=()))
    assert apply_data_spec(labeler, things).model.head.num_classes == 6
