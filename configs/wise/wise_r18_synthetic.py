# WISE on scenes of 128 pixels, enlarged, on two CPU cores. There are no ImageNet weights: three
# groups of a narrow ResNet-18, strides 4, 8 and 16, from scratch.
_base_ = [
    '../_base_/models/wise_r50.py',
    '../data_specs/synthetic.py',
    '../_base_/datasets/wise_images.py',
    '../_base_/schedules/wise_200k.py',
    '../_base_/wise_runtime.py',
]

model = dict(
    num_classes=6,
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        num_stages=3,
        base_channels=32,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        norm_cfg=dict(type='BN', momentum=0.05),  # learned: all images have one size
        norm_eval=False,
    ),
    localization_head=dict(in_channels=(32, 64, 128)),
    embedding_head=dict(in_channels=(32, 64, 128)),
    test_cfg=dict(background_min_score=0.5),  # and in train_pipeline[5]
)

# What configs/proposals/built-in_coco.py makes; imported ones are other folders here.
proposals = 'data/synthetic/proposals/built_in'
val_proposals = 'data/synthetic/proposals/built_in_val'
_base_.train_pipeline[1].path = proposals
_base_.test_pipeline[1].path = val_proposals
_base_.label_pipeline[1].path = proposals
_base_.train_pipeline[5].cand_min_score = 0.5
enlarge = dict(type='mmwsis.ResizeToSize', size=192, interpolation='bilinear')
_base_.train_pipeline[3] = enlarge
_base_.test_pipeline[2] = enlarge
_base_.label_pipeline[4] = enlarge
training_images = dict(
    metainfo=dict(classes=_base_.data_spec.classes),
    data_root=_base_.data_spec.data_root,
    ann_file=_base_.data_spec.train.weak.points,
    data_prefix=dict(img=_base_.data_spec.train.img),
)
train_dataloader = dict(
    batch_size=8,
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
del training_images  # the loaders have it
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
max_iters = 800
warmup_iters = 50
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    optimizer=dict(lr=2e-3),
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
auto_scale_lr = dict(base_batch_size=8)
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
            '--dataset configs/data_specs/synthetic.py '
            f'--out {proposals}',
        ),
        dict(
            path=val_proposals,
            command='python tools/generate_pseudo_labels.py '
            'configs/proposals/built-in_coco.py '
            '--dataset configs/data_specs/synthetic.py '
            f'--out {val_proposals} --cfg-options '
            'pseudo_label_dataloader.dataset.ann_file={val[ann_file]} '
            'pseudo_label_dataloader.dataset.data_prefix.img={val[img]}',
        ),
    ],
    produces='data/synthetic/pseudo_labels/wise.json',
)
