"""The shipped dataset files: classes, paths, and what the converters write there."""

import importlib.util
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mmwsis.dataset_converters.cityscapes_classes import (
    CITYSCAPES_STUFF,
    CITYSCAPES_THINGS,
    cityscapes_categories,
)
from mmwsis.dataset_converters.coco2weak import output_name
from mmwsis.dataset_converters.kitti_classes import (
    KITTI_BOX_CLASSES,
    KITTI_MASK_CLASSES,
)
from mmwsis.dataset_converters.synthetic.scene import STUFF_CLASSES, THING_CLASSES
from mmwsis.dataset_converters.voc_classes import VOC_CLASSES, VOC_PALETTE, VOC_STUFF
from mmwsis.datasets import CocoWeakDataset
from mmwsis.engine.data_spec import load_data_spec
from mmwsis.structures.supervision import Supervision

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'configs/_base_/datasets'
# `small` stands for the user's own photographs, which no command makes.
OWN = 'small', 'small_panoptic'
PANOPTIC = [f for f in sorted(FOLDER.glob('*_panoptic.py')) if f.stem not in OWN]
SPECS = sorted((ROOT / 'configs/data_specs').glob('*.py'))
FILES = [*(file for file in SPECS if file.stem not in OWN), *PANOPTIC]
LEVELS = ('image_tags', 'points', 'boxes', 'extreme_points')
CITYSCAPES_PALETTE = tuple(tuple(one['color']) for one in cityscapes_categories())
# Things, stuff and colours; coco and lvis take those of their files.
CLASSES = {
    'voc': (VOC_CLASSES, (), VOC_PALETTE),
    'voc_panoptic': (VOC_CLASSES, VOC_STUFF, (*VOC_PALETTE, (0, 0, 0))),
    'cityscapes': (CITYSCAPES_THINGS, CITYSCAPES_STUFF, CITYSCAPES_PALETTE),
    'kitti': (('car',), (), (KITTI_BOX_CLASSES[1].color,)),
    'synthetic': (THING_CLASSES, (), None),
    'synthetic_panoptic': (THING_CLASSES, STUFF_CLASSES, None),
}
# Which levels the papers use; a dataset may offer more.
LEVELS_OF_PAPERS = {
    'voc': {*LEVELS},  # IRNet, BESTIE; BESTIE; MAL, weak panoptic; EXITS
    'voc_train': {'points'},  # WISE
    'voc_budget': {'image_tags', 'points'},  # WISE
    'voc_budget_masks': set(),
    'voc_panoptic': {'boxes'},  # weak panoptic
    'coco': {*LEVELS},  # BESTIE; BESTIE, WISE; MAL; EXITS
    'coco_panoptic': {'image_tags', 'boxes'},  # weak panoptic
    'lvis': {'boxes', 'extreme_points'},  # MAL, EXITS
    'cityscapes': {'points', 'image_tags', 'boxes'},  # WISE, weak panoptic
    'cityscapes_panoptic': {'image_tags', 'boxes'},  # weak panoptic
    'cityscapes_train_extra': {'image_tags', 'boxes'},
    'kitti': {'points'},  # WISE
    'synthetic': {*LEVELS},
    'synthetic_panoptic': {*LEVELS},
}
# As on the pages of docs/datasets.
COMMANDS = {
    'voc2coco': ['data/voc --sbd data/sbd --split train train_aug val --panoptic'],
    'cityscapes2coco': [
        'data/cityscapes --split train val --panoptic --semantic',
        'data/cityscapes --annotations coarse --split train_extra --panoptic',
    ],
    'kitti2coco': [
        'boxes data/kitti/object --list data/kitti/object/ImageSets/train.txt '
        '--out-dir data/kitti/weak',
        'masks data/kitti/semantics --out data/kitti/annotations/instances_val.json',
    ],
    'coco2weak': [
        f'{source} --level image_tags points boxes extreme_points --out-dir {folder}'
        for source, folder in (
            ('data/voc/annotations/instances_train_aug.json', 'data/voc/weak'),
            ('data/voc/annotations/instances_train.json', 'data/voc/weak'),
            ('data/voc/annotations/panoptic_train_aug.json', 'data/voc/weak'),
            ('data/coco/annotations/instances_train2017.json', 'data/coco/weak'),
            ('data/coco/annotations/panoptic_train2017.json', 'data/coco/weak'),
            ('data/lvis_v1/annotations/lvis_v1_train.json', 'data/lvis_v1/weak'),
            (
                'data/cityscapes/annotations/instances_gtFine_train.json',
                'data/cityscapes/weak',
            ),
            (
                'data/cityscapes/annotations/instances_gtCoarse_train_extra.json',
                'data/cityscapes/weak',
            ),
            ('data/synthetic/annotations/panoptic_train.json', 'data/synthetic/weak'),
        )
    ],
    'annotation_budget': [
        'data/voc/annotations/instances_train.json --seconds 29280 '
        '--out-dir data/voc/budget'
    ],
}


def load_module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """All datasets in their real layout, converted with the commands of the docs."""
    root = tmp_path_factory.mktemp('shipped')
    layouts = load_module(ROOT / 'tests/dataset_converters/real_layouts.py')
    for name in ('voc', 'coco', 'lvis', 'cityscapes', 'kitti', 'synthetic'):
        getattr(layouts, name)(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for tool, commands in COMMANDS.items():
            main = load_module(ROOT / f'tools/dataset_converters/{tool}.py').main
            for command in commands:
                main([*command.split(), '--workers', '1'])
    return root


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_every_level_of_every_dataset_loads(file, data, monkeypatch):
    monkeypatch.chdir(data)
    listed = Config.fromfile(file).data_spec
    spec = load_data_spec(file)
    levels = dict(listed.train.get('weak') or {})
    assert levels.keys() >= LEVELS_OF_PAPERS[file.stem]
    parts = [(level, levels[level], spec['train']['img']) for level in levels]
    for part in (spec['train'], spec['val']):
        if part['ann_file']:
            parts.append(('masks', part['ann_file'], part['img']))
    classes = spec['classes']
    if spec['train']['panoptic'] or 'stuff_classes' in listed:
        # Instances of panoptic COCO come from a file without stuff.
        classes = (*classes, *spec['stuff_classes'])
    for level, ann_file, images in parts:
        with_stuff = level != 'masks' or 'cityscapes' in file.stem
        dataset = CocoWeakDataset(
            data_root=spec['data_root'],
            ann_file=ann_file,
            data_prefix=dict(img=images),
            metainfo=dict(classes=classes if with_stuff else spec['classes']),
            supervision=level,
        )
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        assert all(Path(info['img_path']).is_file() for info in infos)
        assert any(info['tags'] for info in infos)
        found = [one for info in infos for one in info['instances']]
        key = dict(points='point', boxes='bbox', masks='mask').get(level, level)
        if level == 'image_tags':
            assert not found
        else:
            assert any(key in one and not one['ignore_flag'] for one in found)
        if with_stuff and spec['stuff_classes']:
            assert max(tag for info in infos for tag in info['tags']) >= len(
                spec['classes']
            )


@pytest.mark.parametrize('file', PANOPTIC, ids=lambda file: file.stem)
def test_panoptic_loaders_and_metric(file, data, monkeypatch):
    monkeypatch.chdir(data)
    cfg = Config.fromfile(file)
    spec = load_data_spec(file)
    init_default_scope('mmdet')
    names = (*spec['classes'], *spec['stuff_classes'])
    for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        settings = cfg[f'{loader}_dataloader'].dataset
        assert settings.ann_file == spec[part]['panoptic']['ann_file']
        assert settings.data_prefix.seg == spec[part]['panoptic']['seg']
        # MMDetection leaves out images that are smaller than 32 pixels.
        dataset = DATASETS.build(settings)
        assert tuple(dataset.metainfo['classes']) == names
        sample = dataset[0]['data_samples']
        labels = set(sample.gt_sem_seg.sem_seg.unique().tolist()) - {255}
        assert labels and max(labels) >= len(spec['classes'])
        assert len(sample.gt_instances) > 0
    assert cfg.val_evaluator.type == 'mmwsis.PanopticQualityMetric'
    assert Path(cfg.val_evaluator.ann_file).is_file()
    assert Path(cfg.val_evaluator.seg_prefix).is_dir()


def test_classes_and_colours_stand_in_one_place():
    for file in FILES:
        spec = Config.fromfile(file).data_spec
        key = next((k for k in (file.stem, *file.stem.split('_')) if k in CLASSES), '')
        if not key:
            assert spec.classes is None and 'palette' not in spec
            continue
        things, stuff, palette = CLASSES[key]
        assert spec.classes == things
        assert tuple(spec.get('stuff_classes') or ()) == stuff
        assert tuple(spec.get('palette') or ()) == (palette or ())
    metainfo = Config.fromfile(FOLDER / 'cityscapes_panoptic.py').metainfo
    assert metainfo.classes == (*CITYSCAPES_THINGS, *CITYSCAPES_STUFF)


def test_default_names_are_those_of_the_files():
    """A dataset file that leaves `weak` out finds what coco2weak.py writes."""
    for file in FILES:
        train = Config.fromfile(file).data_spec.train
        source = train.get('ann_file') or (train.get('panoptic') or {}).get('ann_file')
        for level, weak in (train.get('weak') or {}).items():
            if source:
                assert weak == f'weak/{output_name(source, Supervision.parse(level))}'


def test_kitti_names_and_ids_agree_between_boxes_and_masks():
    ids = {entry['name']: entry['id'] for entry in cityscapes_categories()}
    both = [one for one in KITTI_BOX_CLASSES if one.name in KITTI_MASK_CLASSES]
    assert [one.name for one in both] == ['person', 'car', 'truck']
    assert all(one.id == ids[one.name] for one in both)
    assert len({one.id for one in KITTI_BOX_CLASSES} | set(ids.values())) == 19 + 5
