"""Every config: datasets, model, one loss step with gradients, one prediction."""

import copy
import json
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub
from mmengine.registry import DATASETS, MODELS, init_default_scope

sys.path.insert(0, str(Path(__file__).parent))
from loss_step import check_loss_step
from shipped_configs import CONFIGS as ALL_CONFIGS
from shipped_configs import FOLDER, PANOPTIC, load, name_of

from mmwsis.engine.data_spec import apply_data_spec
from mmwsis.engine.fit_config import LOADERS
from mmwsis.engine.fit_model import fit_model

CONFIGS = [file for file in ALL_CONFIGS if file not in PANOPTIC]
CROP = 64
RELATION_CROP = 96  # pairs of radius 10 need a grid of 19 columns


def one_of_each_model():
    """Files with different models of ours; of MMDetection's own one per detector."""
    seen = {}
    for file in sorted(CONFIGS, key=lambda f: 'r50' not in f.stem):  # the lightest
        model = load(file).model.to_dict()
        key = model['type']
        if load(file).wsis.stage != 'final_model':
            fit_model(model, 1)  # all have the classes of the tests' scenes
            key = json.dumps(model, sort_keys=True, default=str)
        elif file.stem.endswith(('_synthetic', '_small')):
            key = f'{key} with settings of ours for {load(file).data_spec.name}'
        seen.setdefault(key, file)
    return list(seen.values())


def one_of_each_reading():
    """Files whose loaders differ; the methods' final models share their baseline's."""
    seen = {}
    for file in CONFIGS:
        cfg = load(file).to_dict()
        loaders = {key: cfg.get(key) for key in LOADERS}
        if cfg['wsis']['stage'] == 'final_model':
            loaders = copy.deepcopy(loaders)
            train = loaders['train_dataloader']['dataset']
            train.get('dataset', train).pop('ann_file')
        seen.setdefault(json.dumps(loaders, sort_keys=True, default=str), file)
    return list(seen.values())


def without_downloads(node):
    """Drop pretrained weights: tests have neither network nor earlier stages."""
    if isinstance(node, (list, tuple)):
        return type(node)(without_downloads(entry) for entry in node)
    if not isinstance(node, dict):
        return node
    kept = {key: without_downloads(entry) for key, entry in node.items()}
    init = kept.get('init_cfg')
    if isinstance(init, dict) and 'Pretrained' in str(init.get('type')):
        kept['init_cfg'] = None
    return kept


def shrink_labeler(cfg):
    """Crops of 64 pixels; large backbones with a part of their channels."""
    relations = cfg.model.type == 'mmwsis.IRNet'
    for loader in LOADERS:
        if cfg.get(loader) is None:
            continue
        dataset = cfg[loader].dataset
        for step in dataset.pipeline:
            if 'crop_size' in step:
                step.crop_size = RELATION_CROP if relations else CROP
            if step.type == 'mmwsis.ResizeToSize':
                step.size = CROP
        if dataset.get('filter_cfg'):
            dataset.filter_cfg.min_area = 16

    if relations:
        cfg.model.test_cfg.min_size = RELATION_CROP

    def narrow(node):
        if isinstance(node, (list, tuple)):
            return [narrow(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        node = {key: narrow(entry) for key, entry in node.items()}
        kind = node.get('type')
        if kind == 'mmwsis.LabelerViT' and node['embed_dims'] > 96:
            node.update(embed_dims=48, num_heads=4)
        if kind == 'mmwsis.ScaleAwareMaskHead' and node['in_channels'] > 128:
            node.update(in_channels=48, feat_channels=32)
        if kind == 'HRNet':
            for stage in node['extra'].values():
                stage['num_modules'] = 1
        if kind == 'ResNet' and node['depth'] == 50 and 'base_channels' not in node:
            node['base_channels'] = 16
        levels = 'mmwsis.PanopticDeepLabDecoders', 'mmwsis.FCN8Head'
        if kind in levels and node['in_channels'][-1] > 512:
            node['in_channels'] = [width // 4 for width in node['in_channels']]
        return node

    cfg.model = ConfigDict(narrow(cfg.model.to_dict()))


@pytest.fixture(autouse=True)
def _fresh_message_hub(request):
    # Ramps read the iteration from the current hub; another test may have left one.
    MessageHub.get_instance(f'config-steps-{request.node.name}-{id(request)}')


def lighten_final_model(model):
    """Same layers, less to compute: fewer grid cells, fewer pasted masks."""
    if 'num_grids' in model.get('mask_head', {}):
        model.mask_head.num_grids = [8, 6, 5, 4, 3][: len(model.mask_head.num_grids)]
    if 'rcnn' in model.get('test_cfg', {}):
        model.test_cfg.rcnn.max_per_img = 10


def prepare(file, spec):
    cfg = Config(copy.deepcopy(load(file).to_dict()))
    fitted = apply_data_spec(cfg, spec)
    init_default_scope('mmdet')
    if cfg.wsis.stage == 'final_model':
        # The model as shipped, with its own number of classes if they suffice.
        shipped = cfg.data_spec.get('classes')  # None are COCO's or LVIS'
        if shipped is None or len(shipped) >= len(spec['classes']):
            cfg.model.data_preprocessor = fitted.model.data_preprocessor
            fitted.model = cfg.model
        lighten_final_model(fitted.model)
    else:
        shrink_labeler(fitted)
    return fitted


def batch(cfg, loader, size=2):
    dataset = DATASETS.build(cfg[loader].dataset)
    assert len(dataset) >= size
    return pseudo_collate([dataset[index] for index in range(size)])


@pytest.mark.parametrize('file', one_of_each_model(), ids=name_of)
def test_loss_step_and_prediction(file, tiny_spec, request):
    torch.manual_seed(0)
    cfg = prepare(file, tiny_spec)
    if 'weights' in cfg.model:  # of SAM
        folder = request.getfixturevalue('tiny_sam_weights')
        cfg.model.weights = folder / ('sam2' if 'sam2' in cfg.model.weights else 'sam')
    model = MODELS.build(ConfigDict(without_downloads(cfg.model.to_dict())))
    model.init_weights()

    if cfg.get('train_dataloader') is None:
        assert not any(one.requires_grad for one in model.parameters())
    else:
        check_loss_step(model, batch(cfg, 'train_dataloader'))

    model.eval()
    data = model.data_preprocessor(batch(cfg, prediction_loader(cfg), 1), False)
    with torch.no_grad():
        (sample,) = model(**data, mode='predict')
    check_prediction(cfg, sample)


def prediction_loader(cfg):
    if cfg.wsis.stage == 'pretrain':
        return 'train_dataloader'
    if cfg.get('val_dataloader') is None:
        return 'pseudo_label_dataloader'
    return 'val_dataloader'


def check_prediction(cfg, sample):
    artifact = cfg.get('artifact')
    if cfg.wsis.stage in ('final_model', 'end_to_end') or artifact == 'instances':
        assert sample.pred_instances.masks.shape[-2:] == sample.ori_shape
    elif cfg.wsis.stage == 'pretrain':
        assert sample.restored.shape == (3, CROP, CROP)
    elif cfg.wsis.stage == 'classifier':
        found = sample.pred_class_maps
        assert found.labels.tolist() == sample.tags
        assert found.high_res.shape == (len(sample.tags), *sample.ori_shape)
    elif artifact == 'proposals':
        found = sample.pred_proposals
        assert len(found.masks) == len(found.scores) > 0
    elif cfg.wsis.method == 'SAM':
        found = sample.pred_instances
        assert len(found.masks) == len(found.scores) == len(found.ann_ids) > 0
    elif artifact == 'semantic_maps':
        assert sample.pred_sem_seg.sem_seg.shape == (1, *sample.ori_shape)
    else:
        assert sample.pred_mask['size'] == [sample.height, sample.width]
        assert 0 <= sample.pred_score <= 1


@pytest.mark.parametrize('file', one_of_each_reading(), ids=name_of)
def test_datasets_build_on_another_dataset(file, tiny_spec):
    cfg = prepare(file, tiny_spec)
    sizes = {}
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            dataset = DATASETS.build(cfg[loader].dataset)
            sizes[loader] = len(dataset)
            if cfg.wsis.stage not in ('pretrain', 'proposals'):
                assert dataset.metainfo['classes'] == tiny_spec['classes']
    assert min(sizes.values()) > 0
    if 'train_dataloader' in sizes and cfg.wsis.stage in (
        'labeler',
        'similarity_extractor',
    ):
        # Generation labels every annotation, training leaves small ones out.
        assert sizes['pseudo_label_dataloader'] >= sizes['train_dataloader']


@pytest.mark.parametrize(
    ('method', 'count'),
    [('exits', 10), ('mal', 10), ('irnet', 5), ('bestie', 8), ('wise', 5), ('sam', 1)],
)
def test_final_models_differ_from_their_baselines_in_their_labels_alone(method, count):
    compared = 0
    for file in CONFIGS:
        baseline = FOLDER / 'final_models' / file.name.replace('_points', '')
        if file.parent.name != method or not baseline.is_file():
            continue
        ours, theirs = (copy.deepcopy(load(f).to_dict()) for f in (file, baseline))
        compared += 1
        for cfg in (ours, theirs):
            dataset = cfg['train_dataloader']['dataset']
            dataset.get('dataset', dataset).pop('ann_file')
            cfg.pop('wsis')
            cfg.pop('work_dir', None)
        assert ours == theirs, file
    assert compared == count
