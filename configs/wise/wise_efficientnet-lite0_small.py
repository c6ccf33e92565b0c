# WISE on a few hundred photographs, without a GPU: EfficientNet-Lite0 with ImageNet weights.
_base_ = [
    '../_base_/models/wise_r50.py',
    '../_base_/models/efficientnet-lite0.py',
    '../data_specs/small.py',
    '../_base_/datasets/wise_images.py',
    '../_base_/schedules/wise_200k.py',
    '../_base_/wise_runtime.py',
]

backbone = dict(
    **_base_.backbone,
    norm_cfg=dict(type='BN', momentum=0.01, eps=1e-3, requires_grad=False),
)
backbone['out_indices'] = (2, 3, 4)  # strides 8, 16 and 32
model = dict(
    num_classes=1,
    # Not the paper's 0.1: within a few hundred iterations E-Net, whose loss is a sum of many
    # pairs, would shape the backbone alone, and L-Net find nothing.
    localization_weight=0.9,
    data_preprocessor=dict(**_base_.pixel_norm),
    backbone=dict(_delete_=True, **backbone),
    # Logits are small at first. With PyTorch's initialisation and pretrained features the
    # losses of hundreds of confident blobs kill L-Net for good.
    localization_head=dict(
        in_channels=(40, 112, 320),
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.001),
    ),
    embedding_head=dict(in_channels=(40, 112, 320)),
)

# What configs/proposals/built-in_coco.py makes; imported ones are other folders here.
proposals = 'data/small/proposals/built_in'
val_proposals = 'data/small/proposals/built_in_val'
_base_.train_pipeline[1].path = proposals
_base_.test_pipeline[1].path = val_proposals
_base_.label_pipeline[1].path = proposals
# The network sees photographs of any size at this one; masks have the photograph's.
long_side = dict(
    type='mmwsis.RandomLongSide', long_side=(288, 288), interpolation='bilinear'
)
_base_.train_pipeline[3] = long_side
_base_.test_pipeline[2] = long_side
_base_.label_pipeline[4] = long_side
training_images = dict(
    metainfo=dict(classes=_base_.data_spec.classes),
    data_root=_base_.data_spec.data_root,
    ann_file=_base_.data_spec.train.weak.points,
    data_prefix=dict(img=_base_.data_spec.train.img),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(**training_images, pipeline=_base_.train_pipeline),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(
    num_workers=1, dataset=dict(**training_images, pipeline=_base_.label_pipeline)
)
truth = f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}'
val_evaluator = [
    dict(
        type='mmwsis.CocoInstanceMetric',
        ann_file=truth,
        metric='segm',
        ap_thrs=(0.25, 0.5, 0.75),
        skip_images_without_gt='both',
    ),
    dict(type='mmwsis.CountingMetric', ann_file=truth),
]
test_evaluator = val_evaluator

# Iterations, not epochs, so that the recipe also fits datasets of another size.
max_iters = 1600
warmup_iters = 50
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [
    dict(type='mmwsis.LinearWarmupLR', by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='mmwsis.PolyDecayLR',
        power=0.9,
        eta_min=0,
        by_epoch=False,
        begin=0,
        end=max_iters,
    ),
]
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(
    logger=dict(interval=25), checkpoint=dict(interval=200, max_keep_ckpts=4)
)

wsis = dict(
    method='WISE',
    stage='end_to_end',
    supervision='points',
    requires=[
        dict(
            path=proposals,
            command='python tools/generate_pseudo_labels.py '
            'configs/proposals/built-in_coco.py '
            '--dataset configs/data_specs/small.py '
            f'--out {proposals}',
        ),
        dict(
            path=val_proposals,
            command='python tools/generate_pseudo_labels.py '
            'configs/proposals/built-in_coco.py '
            '--dataset configs/data_specs/small.py '
            f'--out {val_proposals} --cfg-options '
            'pseudo_label_dataloader.dataset.ann_file={val[ann_file]} '
            'pseudo_label_dataloader.dataset.data_prefix.img={val[img]}',
        ),
    ],
    produces='data/small/pseudo_labels/wise.json',
)
del training_images, truth
