"""Optimiser and schedule of the labelers, against the paper's table."""

import copy
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS, init_default_scope
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from shipped_configs import CONFIGS, FOLDER, ROOT, name_of
from shipped_configs import load as load_file

PAPER = [
    # method, stage, dataset, epochs
    ('exits', 'similarity-extractor', 'coco', 1),
    ('exits', 'similarity-extractor', 'voc', 8),
    ('exits', 'similarity-extractor', 'lvis', 10),
    ('exits', 'labeler', 'coco', 10),
    ('exits', 'labeler', 'voc', 80),
    ('exits', 'labeler', 'lvis', 10),
    ('mal', 'labeler', 'coco', 10),
    ('mal', 'labeler', 'voc', 80),
    ('mal', 'labeler', 'lvis', 10),
]


def load(method, stage, dataset):
    return load_file(FOLDER / method / f'{stage}_vit-b_{dataset}.py')


def learning_rates(cfg, iters_per_epoch):
    """Rate of every iteration, as MMEngine sets it."""
    network = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    wrapper = build_optim_wrapper(network, cfg.optim_wrapper)
    schedulers = [
        PARAM_SCHEDULERS.build(
            dict(item, optimizer=wrapper),
            default_args=dict(epoch_length=iters_per_epoch),
        )
        for item in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs * iters_per_epoch):
        rates.append(wrapper.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    return wrapper, rates


@pytest.mark.parametrize(('method', 'stage', 'dataset', 'epochs'), PAPER)
def test_rates_follow_the_paper(method, stage, dataset, epochs):
    cfg = load(method, stage, dataset)
    assert cfg.train_cfg.max_epochs == epochs
    iters = 50
    wrapper, rates = learning_rates(cfg, iters)
    peak = 4.8e-5
    assert (
        cfg.train_dataloader.batch_size * 8 == cfg.auto_scale_lr.base_batch_size == 32
    )
    warm = iters if epochs > 1 else iters // 10
    assert rates[0] == pytest.approx(0, abs=1e-9)
    assert rates[warm] == pytest.approx(peak, rel=1e-6)
    middle = warm // 2
    assert rates[middle] == pytest.approx(peak * middle / warm, rel=1e-6)
    total = epochs * iters - warm
    for step in (0, total // 3, total - 1):
        cosine = 1 + torch.cos(torch.tensor(torch.pi * step / total)).item()
        expected = 0.2 * peak + 0.4 * peak * cosine
        assert rates[warm + step] == pytest.approx(expected, rel=1e-4)
    assert max(rates) == pytest.approx(peak, rel=1e-6)
    assert rates[-1] == pytest.approx(0.2 * peak, rel=0.02)
    (group,) = wrapper.param_groups
    assert group['betas'] == (0.9, 0.9)
    assert group['weight_decay'] == 5e-4
    assert group['eps'] == 1e-8


@pytest.mark.parametrize(
    ('dataset', 'delta', 'weight'),
    [('coco', 24, 0.5), ('voc', 12, 0.05), ('lvis', 16, 0.5)],
)
def test_exits_numbers(dataset, delta, weight):
    model = load('exits', 'labeler', dataset).model
    assert model.retrieval.delta == delta
    assert model.retrieval.hops == 3
    assert model.retrieval.tau_fg == 1e-3
    assert model.retrieval.tau_bg == -1e-4
    assert model.retrieval.point_dropout == 0.9
    assert model.loss_point.loss_weight == weight
    assert model.loss_point.mil_weight == 10
    assert model.loss_crf.loss_weight == 0.5
    assert model.loss_crf.num_iters == 100
    assert model.loss_crf.zeta == 0.1
    assert model.loss_mil is None
    assert model.crf_ramp == dict(iters=4000, first_epoch_only=True)
    assert model.network.encoder.patch_embed_type == 'conv_stem'
    assert model.similarity_extractor.layer == 10
    assert model.similarity_extractor.encoder.patch_embed_type == 'linear'


@pytest.mark.parametrize('dataset', ['coco', 'voc', 'lvis'])
def test_mal_and_extractor_numbers(dataset):
    mal = load('mal', 'labeler', dataset).model
    extractor = load('exits', 'similarity-extractor', dataset).model
    for model in (mal, extractor):
        assert model.type == 'mmwsis.MaskAutoLabeler'
        assert model.loss_mil.loss_weight == 4
        assert model.mil_ramp == dict(iters=1000, first_epoch_only=True)
        assert model.test_cfg.mask_thr == (0.1, 0.1, 0.1)
    assert mal.loss_crf.loss_weight == 0.5
    assert mal.network.encoder.patch_embed_type == 'conv_stem'
    assert 'loss_crf' not in extractor
    assert extractor.network.encoder.patch_embed_type == 'linear'
    crops = load('mal', 'labeler', dataset).train_dataloader.dataset
    assert crops.filter_cfg == dict(min_area=2048, max_area=1e10, min_size=2)
    assert crops.pipeline[1].crop_size == 512


@pytest.mark.parametrize('method', ['exits', 'mal'])
def test_teacher_hook_comes_first_and_is_the_papers(method):
    hook = load(method, 'labeler', 'coco').custom_hooks[0]
    assert hook == dict(type='mmdet.MeanTeacherHook', momentum=0.004, interval=1)


def test_irnet_classifier_numbers():
    """Sections 1 and 2 of the released recipe: rates, steps, momentum, sizes."""
    cfg = load_file(FOLDER / 'irnet' / 'cam_r50_voc.py')
    wrapper = build_optim_wrapper(
        nn.ModuleDict(dict(backbone=nn.Linear(2, 2), head=nn.Linear(2, 2))),
        cfg.optim_wrapper,
    )
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 16
    assert cfg.train_dataloader.drop_last and cfg.train_cfg.max_epochs == 5
    (scheduler,) = cfg.param_scheduler
    scheduler = PARAM_SCHEDULERS.build(
        dict(scheduler, optimizer=wrapper), default_args=dict(epoch_length=661)
    )
    for step in range(3305):
        if step in (0, 1, 1000, 3304):
            decay = (1 - step / 3305) ** 0.9
            rates = wrapper.get_lr()['lr']
            assert rates == pytest.approx([0.1 * decay] * 2 + [decay] * 2)
        scheduler.step()
    assert {group['momentum'] for group in wrapper.param_groups} == {1e-4}
    assert {group['weight_decay'] for group in wrapper.param_groups} == {1e-4}
    train = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert train['mmwsis.RandomLongSide'].long_side == (320, 640)
    assert train['mmwsis.RandomCropOrPad'].crop_size == 512
    assert train['mmdet.RandomFlip'].prob == 0.5
    scales = cfg.pseudo_label_dataloader.dataset.pipeline[1].scales
    assert scales == (1.0, 0.5, 1.5, 2.0)
    assert cfg.val_evaluator[1].threshold == 0.15
    backbone = cfg.model.backbone
    assert backbone.strides == (1, 2, 2, 1) and backbone.dilations == (1, 1, 1, 1)
    assert backbone.frozen_stages == 2 and backbone.norm_eval


FINALS = {
    'solov2_r50': (0.01, 36, [27, 33]),
    'solov2_r101-dcn': (0.01, 36, [27, 33]),
    'solov2_x101-dcn': (0.01, 36, [27, 33]),
    'solov2_r50_voc': (0.01, 36, [27, 33]),
    'solov2_r101_voc': (0.01, 36, [27, 33]),
    'mask-rcnn_x101-32x4d_lvis': (0.02, 12, [8, 11]),
    'mask-rcnn_x101-64x4d_lvis': (0.02, 12, [8, 11]),
}


@pytest.mark.parametrize('name', FINALS)
def test_final_models_keep_mmdetections_schedule(name):
    rate, epochs, milestones = FINALS[name]
    cfg = load_file(FOLDER / 'exits' / f'{name}.py')
    assert cfg.optim_wrapper.optimizer.lr == rate
    assert cfg.train_cfg.max_epochs == epochs
    assert cfg.param_scheduler[-1].milestones == milestones
    classes = {'voc': 20, 'lvis': 1203}.get(name.rpartition('_')[2], 80)
    model = cfg.model
    head = model.mask_head if 'mask_head' in model else model.roi_head.bbox_head
    assert head.num_classes == classes


LABELER_STAGES = ('pretrain', 'similarity_extractor', 'labeler', 'classifier')


def warm_ups():
    """Configs of labelers that begin with a warm-up."""
    for file in CONFIGS:
        if file.stem.startswith(('solov2', 'mask', 'detector')):
            continue  # models of MMDetection keep its schedules
        cfg = load_file(file)
        schedulers = cfg.get('param_scheduler') or ()
        if isinstance(schedulers, dict):
            schedulers = [schedulers]
        types = [one.type for one in schedulers]
        stage = cfg.get('wsis', {}).get('stage')
        if stage in LABELER_STAGES and any('Linear' in kind for kind in types):
            yield file


@pytest.mark.parametrize('length', [1, 7, 100])
@pytest.mark.parametrize('file', warm_ups(), ids=name_of)
def test_warm_up_of_every_labeler_follows_the_formula(file, length):
    """From zero to the full rate, e < w: rate * e / w; then MAL's cosine."""
    cfg = load_file(file)
    linear, cosine = cfg.param_scheduler
    assert linear.type == 'mmwsis.LinearWarmupLR'
    assert linear.begin == 0 and linear.end == cosine.begin
    loop = cfg.train_cfg
    total = loop.get('max_epochs', 0) * length or loop.get('max_iters')
    assert cosine.end == loop.get('max_epochs', loop.get('max_iters'))
    unit = length if linear.by_epoch else 1
    warm, end = linear.end * unit, cosine.end * unit
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedulers = [
        PARAM_SCHEDULERS.build(
            dict(item, optimizer=optimizer), default_args=dict(epoch_length=length)
        )
        for item in cfg.param_scheduler
    ]
    least = cosine.eta_min_ratio
    for step in range(total):
        expected = step / warm
        if step >= warm:
            falling = 1 + math.cos(math.pi * (step - warm) / (end - warm))
            expected = least + (1 - least) / 2 * falling
        actual = optimizer.param_groups[0]['lr']
        assert actual == pytest.approx(expected, rel=1e-6, abs=1e-8), step
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()


def test_all_labelers_with_a_warm_up_are_listed():
    names = {name_of(file) for file in warm_ups()}
    full = {f'{m}/{s}_vit-b_{d}' for m, s, d, _ in PAPER}
    assert full <= names
    assert {'exits/mae_vit-tiny_synthetic', 'irnet/cam_r18_synthetic'} <= names


def test_bestie_classifier_numbers():
    """Four rates, three steps, sizes (supplement, released code)."""
    cfg = load_file(FOLDER / 'bestie' / 'pam_vgg16_voc.py')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert sum(p.numel() for p in model.parameters()) == 21_804_372
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    names = {value: name for name, value in model.named_parameters()}
    groups = wrapper.optimizer.param_groups
    assert len(groups) == len(names) == 34
    times = {
        names[group['params'][0]]: round(group['lr'] / 1e-3, 6) for group in groups
    }
    for name, rate in times.items():
        bias = name.endswith('.bias')
        expected = (20 if bias else 10) if name.startswith('head.') else 1 + bias
        assert rate == expected, name
    for key, value in (('momentum', 0.9), ('nesterov', True), ('weight_decay', 5e-4)):
        assert {group[key] for group in groups} == {value}
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 10
    plain = dict(cfg.optim_wrapper, paramwise_cfg=None)
    _, rates = learning_rates(Config(dict(cfg.items(), optim_wrapper=plain)), 1)
    assert rates == pytest.approx([1e-3] * 4 + [1e-4] * 5 + [1e-5] * 6)  # per epoch
    assert cfg.model.test_cfg == dict(
        kernel_size=15,
        min_score=0.1,
        max_per_class=25,
        merge_plateaus=False,
        score_digits=3,
    )


def test_bestie_network_sizes():
    """Of the released code, for 20 classes."""
    init_default_scope('mmdet')
    for name, count in (('hrnet-w48', 63_938_507), ('r50', 55_324_411)):
        for setting in ('', '_points'):
            cfg = load_file(FOLDER / 'bestie' / f'bestie_{name}{setting}_voc.py')
            with torch.device('meta'):
                model = MODELS.build(cfg.model)
            assert sum(p.numel() for p in model.parameters()) == count
            norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
            momentum = 0.1 if name == 'hrnet-w48' else 0.01
            assert {norm.momentum for norm in norms} == {momentum}
            assert all(norm.training for norm in model.train().modules())
            assert cfg.sync_bn == 'torch'
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict({'model.backbone.depth': 101})
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    more = 44_549_160 - 25_557_032  # ResNet-101 and ResNet-50
    assert sum(p.numel() for p in model.parameters()) == 55_324_411 + more


def test_bestie_rates_are_the_released_ones():
    cfg = load_file(FOLDER / 'bestie' / 'bestie_hrnet-w48_voc.py')
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer == dict(type='Adam', lr=5e-5, betas=(0.9, 0.999), weight_decay=0)
    assert 'clip_grad' not in cfg.optim_wrapper
    assert 4 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size
    with np.load(ROOT / 'tests/golden/bestie/lr_0.npz') as file:
        record = {key: file[key] for key in file.files}
    assert cfg.train_cfg.max_iters == record['max_iters'] == 50_000
    cfg = Config(dict(cfg.items(), train_cfg=dict(max_epochs=50_000)))
    _, rates = learning_rates(cfg, 1)
    found = np.array(rates)[record['iters']]
    limits = 1e-9 * record['lr']  # relative ones in the README
    assert (np.abs(found - record['lr']) <= limits).all()


def test_bestie_schedule_of_the_paper():
    cfg = load_file(FOLDER / 'bestie' / 'bestie_hrnet-w48_70e_voc.py')
    assert 4 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size
    _, rates = learning_rates(cfg, 3)
    assert len(rates) == 210
    expected = [5e-5 * (1 - i / 210) ** 0.9 for i in range(210)]
    assert rates == pytest.approx(expected, rel=1e-9)


def test_wise_network_sizes():
    """ResNet-50 without its classifier, and both heads, of 20 classes."""
    cfg = load_file(FOLDER / 'wise' / 'wise_r50_voc.py')
    init_default_scope('mmdet')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    heads = (21 + 64) * (512 + 1024 + 2048 + 3)
    count = 25_557_032 - 2_049_000 + heads
    assert sum(p.numel() for p in model.parameters()) == count == 23_812_927
    norms = [m for m in model.train().modules() if isinstance(m, nn.BatchNorm2d)]
    frozen = [p for norm in norms for p in norm.parameters()]
    assert sum(p.numel() for p in frozen) == count - 23_759_807
    assert not any(norm.training for norm in norms)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    (group,) = wrapper.optimizer.param_groups
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    assert {id(p) for p in group['params']} == trained
    assert not trained & {id(p) for p in frozen}
    assert len(trained) + len(frozen) == len(list(model.parameters()))


@pytest.mark.parametrize('dataset', ['voc', 'coco', 'kitti', 'cityscapes', 'prm_voc'])
def test_wise_numbers(dataset):
    """Section 4 of the paper: Adam at a constant rate, single images, no flip."""
    cfg = load_file(FOLDER / 'wise' / f'wise_r50_{dataset}.py')
    assert cfg.optim_wrapper.optimizer == dict(
        type='Adam', lr=1e-5, betas=(0.9, 0.999), weight_decay=5e-4
    )
    assert 'clip_grad' not in cfg.optim_wrapper and cfg.param_scheduler is None
    assert cfg.train_cfg.max_iters == 200_000
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 1
    assert cfg.model.embed_dims == 64
    assert cfg.model.localization_weight == (0.0 if dataset == 'prm_voc' else 0.1)
    for loader in ('train', 'val', 'test', 'pseudo_label'):
        steps = cfg[f'{loader}_dataloader'].dataset.pipeline
        steps = {step.type: step for step in steps}
        kind = 'Generate' if loader in ('val', 'test') else 'Load'
        assert steps[f'mmwsis.{kind}Proposals'].max_num == 1000
        assert steps['mmwsis.RandomRescale'].scale == (1.0, 1.0)
        assert not any('Flip' in name or 'Mirror' in name for name in steps)
    groups = cfg.train_dataloader.dataset.pipeline[5]
    assert groups.type == 'mmwsis.GeneratePixelGroups'
    assert groups.samples_per_group is None and groups.sample_min_score == 0
    assert groups.cand_min_score == cfg.model.test_cfg.background_min_score
    metric = cfg.test_evaluator[0]
    assert metric.ap_thrs == (0.25, 0.5, 0.75)
    assert metric.get('remove_void', False) == dataset.endswith('voc')
