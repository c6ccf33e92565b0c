"""Configs on panoptic labels: one training step and one prediction on tiny scenes."""

import copy
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, init_default_scope

sys.path.insert(0, str(Path(__file__).parent))
from conftest import write_proposals
from loss_step import check_loss_step
from shipped_configs import PANOPTIC, load, name_of

from mmwsis.dataset_converters.coco2weak import convert_file
from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine.data_spec import apply_data_spec, load_data_spec
from mmwsis.engine.fit_config import LOADERS
from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.segment_maps import renumber
from mmwsis.formats.semantic_maps import encode_semantic_map
from mmwsis.pipelines import load_pipeline
from mmwsis.structures.supervision import Supervision

SIZE = 64
THINGS = ('disc', 'ring', 'square', 'triangle', 'star', 'bar')
STUFF = ('sky', 'grass', 'sand')
# Labels that stages read of each other, in `pseudo_labels`.
PANOPTIC_LABELS = (
    'weak_panoptic',
    'weak_panoptic_round0',
    'weak_panoptic_round1',
    'weak_panoptic_extra_round0',
    'weak_panoptic_voc_round0',
)


@pytest.fixture(scope='module')
def panoptic_spec(tmp_path_factory):
    """Four scenes with all that the stages leave for each other."""
    root = tmp_path_factory.mktemp('panoptic') / 'scenes'
    make_synthetic(root, SyntheticSettings(train=4, val=2, size=SIZE, seed=3))
    truth = root / 'annotations/panoptic_train.json'
    weak = root / 'weak/boxes_panoptic_train.json'
    convert_file(truth, {Supervision.BOXES: weak}, crop_size=(40, 40))
    mixed = json.loads(weak.read_text())
    mixed['images'][0]['supervision'] = 'masks'
    for image in mixed['images'][1:]:
        image['supervision'] = 'boxes'
    (root / 'weak/masks25_boxes75_panoptic_train.json').write_text(json.dumps(mixed))
    labels = root / 'pseudo_labels'
    labels.mkdir()
    for name in PANOPTIC_LABELS:
        shutil.copy(truth, labels / f'{name}.json')
        shutil.copytree(truth.with_suffix(''), labels / name)
    write_label_maps(truth, labels)
    for split in ('train', 'val'):
        found = json.loads((root / f'annotations/instances_{split}.json').read_text())
        suffix = '' if split == 'train' else '_val'
        for name in ('built_in', 'built_in_voc'):
            write_proposals(root / f'proposals/{name}{suffix}', found)
        detections = [
            dict(
                image_id=one['image_id'],
                category_id=one['category_id'],
                bbox=one['bbox'],
                score=0.9,
            )
            for one in found['annotations']
        ]
        (labels / f'detections_{split}.json').write_text(json.dumps(detections))
    file = root.parent / 'panoptic.py'
    parts = {
        split: dict(
            img=f'{split}/',
            panoptic=dict(
                ann_file=f'annotations/panoptic_{split}.json',
                seg=f'annotations/panoptic_{split}/',
            ),
        )
        for split in ('train', 'val')
    }
    parts['train']['weak'] = dict(boxes='weak/boxes_panoptic_train.json')
    parts['val']['ann_file'] = 'annotations/instances_val.json'
    file.write_text(
        f'data_spec = dict(name="panoptic", data_root={str(root)!r}, '
        f'classes={THINGS}, stuff_classes={STUFF}, image_scale=({SIZE}, {SIZE}), '
        f'**{parts})\n'
    )
    yield load_data_spec(file)
    shutil.rmtree(root)


def write_label_maps(truth, folder):
    """The box label map and Grad-CAM's label map, as good as they can be."""
    panoptic = PanopticFile(truth, truth.with_suffix(''))
    order = {key: label for label, key in enumerate(panoptic.categories)}
    names = [category['name'] for category in panoptic.categories.values()]
    entries = dict(box_labels=[], grad_cam=[])
    classes = dict(box_labels=['background', *THINGS], grad_cam=names)
    assert names == [*THINGS, *STUFF]
    for image_id in panoptic.image_ids:
        segments = panoptic.segments(image_id)
        label_of = {one['id']: order[one['category_id']] for one in segments}
        labels = renumber(panoptic.segment_map(image_id), label_of, 255)
        things = np.where(labels < len(THINGS), labels + 1, 0)
        for name, values in dict(box_labels=things, grad_cam=labels).items():
            file = panoptic.map_path(image_id).name
            (folder / name).mkdir(exist_ok=True)
            content = encode_semantic_map(values, tuple(classes[name]))
            (folder / name / file).write_bytes(content)
            entries[name].append(dict(id=image_id, file=file))
    for name, images in entries.items():
        index = dict(type='semantic_maps', classes=classes[name], images=images)
        (folder / name / 'index.json').write_text(json.dumps(index))


def narrow(node):
    """A sixteenth of a ResNet's channels, and of what reads them."""
    if isinstance(node, (list, tuple)):
        return [narrow(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    node = {key: narrow(entry) for key, entry in node.items()}
    kind = str(node.get('type'))
    if 'ResNet' in kind and node['depth'] > 18:
        node.update(depth=50, base_channels=16)
    if 'Pretrained' in str(node.get('init_cfg')):  # no network in tests
        node['init_cfg'] = None
    if kind in ('mmseg.PSPHead', 'mmseg.FCNHead', 'FPN', 'mmdet.FPN'):
        wide = node['in_channels']
        if np.max(wide) >= 1024:
            node['in_channels'] = (
                [w // 4 for w in wide] if type(wide) is list else wide // 4
            )
    if kind.endswith('ClassMapHead') and node['in_channels'] == 2048:
        node['in_channels'] = 512
    return node


def prepare(file, spec):
    cfg = copy.deepcopy(load(file).to_dict())
    cfg = apply_data_spec(Config(cfg), spec)
    refinement = cfg.model.get('test_cfg', {}).get('refinement') or {}
    if 'prior_label' in refinement:  # PASCAL VOC alone has one class of stuff
        refinement['prior_label'] = None
    init_default_scope('mmdet')
    cfg.model = ConfigDict(narrow(cfg.model.to_dict()))
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            small_images(cfg[loader].dataset)
    return cfg


def small_images(node):
    """Crops and images of 64 pixels."""
    if isinstance(node, (list, tuple)):
        for entry in node:
            small_images(entry)
    elif isinstance(node, dict):
        if 'crop_size' in node:
            node['crop_size'] = SIZE
        if node.get('type') == 'mmwsis.ResizeToSize':
            node['size'] = SIZE
        for value in node.values():
            small_images(value)


def batch(cfg, loader, size):
    dataset = DATASETS.build(cfg[loader].dataset)
    return pseudo_collate([dataset[index] for index in range(size)])


@pytest.mark.parametrize('file', PANOPTIC, ids=name_of)
def test_loss_step_and_prediction(file, panoptic_spec):
    torch.manual_seed(0)
    cfg = prepare(file, panoptic_spec)
    model = MODELS.build(cfg.model)
    model.init_weights()
    if cfg.get('train_dataloader') is not None:
        check_loss_step(model, batch(cfg, 'train_dataloader', 2))
    model.eval()
    artifact = cfg.get('artifact')
    kind = artifact if artifact is None or isinstance(artifact, str) else artifact.type
    if hasattr(model, 'artifact') and kind is not None:
        model.artifact = kind
    loader = 'val_dataloader' if kind is None else 'pseudo_label_dataloader'
    data = model.data_preprocessor(batch(cfg, loader, 1), False)
    with torch.no_grad():
        (sample,) = model(**data, mode='predict')
    check_prediction(kind or 'panoptic_maps', sample)


@pytest.mark.parametrize('stage', ['first_labels', 'labels@1'])
def test_a_fully_labelled_image_keeps_its_labels(stage, panoptic_spec):
    """As the pipelines of semi-supervision say it; the others are made from boxes."""
    folder = PANOPTIC[0].parent
    pipeline = load_pipeline(folder / 'pipeline_semi_small.py', panoptic_spec)
    (stage,) = (one for one in pipeline.stages if one.name == stage)
    cfg = prepare(folder / stage.config.rpartition('/')[2], panoptic_spec)
    cfg.merge_from_dict(stage.cfg_options)
    model = MODELS.build(cfg.model).eval()
    if hasattr(model, 'artifact'):
        model.artifact = 'panoptic_maps'
    data = model.data_preprocessor(batch(cfg, 'pseudo_label_dataloader', 2), False)
    with torch.no_grad():
        samples = model(**data, mode='predict')
    root, part = Path(panoptic_spec['data_root']), panoptic_spec['train']['panoptic']
    truth = PanopticFile(root / part['ann_file'], root / part['seg'])
    order = {key: label for label, key in enumerate(truth.categories)}
    drawn = ['sem_seg' in sample.get('gt_panoptic_seg', {}) for sample in samples]
    assert drawn == [True, False]
    sample = samples[0]
    segments = truth.segments(sample.img_id)
    label_of = {one['id']: order[one['category_id']] for one in segments}
    labels = renumber(truth.segment_map(sample.img_id), label_of, len(order))
    made = sample.pred_panoptic_seg.sem_seg[0].numpy() % INSTANCE_OFFSET
    assert (made == labels).all()


def check_prediction(kind, sample):
    shape = (1, *sample.ori_shape)
    if kind == 'semantic_maps':
        assert sample.pred_sem_seg.sem_seg.shape == shape
    elif kind == 'detections':
        assert sample.pred_instances.bboxes.shape[1:] == (4,)
    else:
        assert kind == 'panoptic_maps'
        assert sample.pred_panoptic_seg.sem_seg.shape == shape
