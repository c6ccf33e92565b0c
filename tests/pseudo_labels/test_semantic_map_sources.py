"""Where semantic maps come from: one folder is like another, and the labels know which.

Those of IRNet are made by the code of the toy labeler's, tests/models/labelers.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS, MODELS, init_default_scope

from mmwsis.dataset_converters.semantic_import import import_semantic_maps
from mmwsis.dataset_converters.semantic_tables import SemanticTable
from mmwsis.engine.hooks.training_sources_hook import training_sources
from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.semantic_maps import read_semantic_map
from mmwsis.pseudo_labels import generate_pseudo_labels
from mmwsis.registry import DATASETS
from mmwsis.utils.hashing import hash_file

sys.path.insert(0, str(Path(__file__).parent))
import toy_image_labeler  # noqa: F401
from toy_scenes import CONFIG, draw_scenes

ROOT = Path(__file__).parents[2]
CLASSES = ('berry', 'leaf', 'pool')
SEGMENTOR = """
default_scope = 'mmseg'
norm_cfg = dict(type='BN')
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[90.0] * 3, std=[60.0] * 3, bgr_to_rgb=True,
        test_cfg=dict(size_divisor=32),
    ),
    backbone=dict(
        type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, num_stages=4,
        out_indices=(3,), norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        type='FCNHead', in_channels=64, channels=8, num_convs=1, num_classes=4,
        norm_cfg=norm_cfg,
    ),
    test_cfg=dict(mode='whole'),
)
pseudo_label_dataloader = dict(
    batch_size=1, num_workers=0,
    dataset=dict(
        type='mmwsis.CocoWeakDataset', supervision='image_tags', test_mode=True,
        data_root={root!r}, ann_file='tags.json', data_prefix=dict(img='images/'),
        metainfo=dict(classes=('berry', 'leaf', 'pool')), filter_cfg=None,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(96, 96), keep_ratio=True),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    ),
)
artifact = 'semantic_maps'
wsis = dict(method='PMM')
"""


@pytest.fixture
def scenes(tmp_path):
    draw_scenes(tmp_path, count=4)
    return tmp_path


def sizes(folder):
    content = json.loads((folder / 'tags.json').read_text())
    return {one['id']: (one['height'], one['width']) for one in content['images']}


def maps_of_a_segmentor(folder):
    """Of a model of MMSegmentation as it is, without training."""
    (folder / 'segmentor.py').write_text(SEGMENTOR.format(root=f'{folder}/'))
    cfg = Config.fromfile(folder / 'segmentor.py')
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), folder / 'segmentor.pth')
    out = folder / 'pmm'
    generate_pseudo_labels(cfg, folder / 'segmentor.pth', out)
    init_default_scope('mmdet')
    return out


def imported_maps(folder):
    """PNGs of another project, class by class in rows."""
    content = json.loads((folder / 'tags.json').read_text())
    for image in content['images']:
        rows = np.arange(image['height'], dtype=np.uint8) % 4
        png = (folder / 'png' / image['file_name']).with_suffix('.png')
        png.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(png), np.repeat(rows[:, None], image['width'], axis=1))
    table = SemanticTable(dict(enumerate(('background', *CLASSES))))
    out = folder / 'imported'
    import_semantic_maps(folder / 'png', folder / 'tags.json', out, table)
    return out


def reader(folder, maps):
    return dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        data_root=f'{folder}/',
        ann_file='tags.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=CLASSES),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmwsis.LoadSemanticMap', folder=str(maps)),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )


def test_one_line_changes_the_source(scenes):
    known = sizes(scenes)
    for make, made_by in (
        (maps_of_a_segmentor, dict(method='PMM', config='segmentor')),
        (imported_maps, dict(tool='import_semantic_maps', source='png')),
    ):
        maps = make(scenes)
        index = MapIndex(maps, 'semantic_maps')
        assert index.classes == ('background', *CLASSES)
        for sample in DATASETS.build(reader(scenes, maps)):
            image_id = sample['data_samples'].img_id
            found = sample['data_samples'].gt_sem_seg.sem_seg[0]
            assert tuple(found.shape) == known[image_id]
            assert np.array_equal(found, read_semantic_map(index.path(image_id)))
        sources = training_sources(dict(dataset=reader(scenes, maps)))
        own = sources[str(maps)]
        assert own.pop('sha256') == hash_file(maps / 'index.json')
        assert own.items() >= made_by.items()
        assert sources.keys() == {str(maps), f'{scenes}/tags.json'}


def test_pseudo_labels_name_the_maps_of_their_training(scenes):
    """Not those that the config names by the time that labels are made."""
    maps = imported_maps(scenes)
    (scenes / 'labeler.py').write_text(CONFIG.format(root=f'{scenes}/'))
    cfg = Config.fromfile(scenes / 'labeler.py')
    # What MMEngine's runner does, without its training.
    trained = Config(dict(train_dataloader=dict(dataset=reader(scenes, maps))))
    checkpoint = dict(
        meta=dict(iter=1), state_dict=MODELS.build(cfg.model).state_dict()
    )
    hook = HOOKS.build(dict(type='mmwsis.TrainingSourcesHook'))
    hook.before_train(SimpleNamespace(cfg=trained))
    hook.before_save_checkpoint(None, checkpoint)
    torch.save(checkpoint, scenes / 'iter_1.pth')
    out = generate_pseudo_labels(cfg, scenes / 'iter_1.pth', scenes / 'labels.json')
    info = json.loads(out.read_text())['info']['mmwsis']
    assert info['trained_on'][str(maps)]['tool'] == 'import_semantic_maps'
    assert str(maps) not in (scenes / 'labeler.py').read_text()


def test_every_stage_of_labelers_records_its_sources():
    cfg = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py')
    assert 'mmwsis.TrainingSourcesHook' in [hook.type for hook in cfg.custom_hooks]
