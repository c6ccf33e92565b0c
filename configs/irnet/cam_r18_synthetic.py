# The classifier of 128x128 scenes, on two CPU cores.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/datasets/tagged_images.py',
    '../_base_/small_runtime.py',
]

# Three groups of a narrow ResNet-18, stride 8, trained from scratch: nothing is frozen,
# batch norms learn. The fourth group would cost three times as much as the others together,
# and its cells would see the whole scene.
model = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        base_channels=32,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2,),
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    head=dict(num_classes=6, in_channels=128),
    map_extractor=dict(stride=8),
)

train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.RandomLongSide', long_side=(96, 160)),
    dict(
        type='mmdet.RandomFlip',
        prob=0.75,
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='mmwsis.RandomCropOrPad', crop_size=128),
    dict(type='mmwsis.PackWeakInputs'),
]
# Enlarged images alone: a cell of stride 8 is large for objects of 30 to 70 pixels.
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ImageScales', scales=(1.5, 2.0)),
    dict(type='mmwsis.PackWeakInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(pipeline=test_pipeline))
_base_.val_evaluator[
    1
].ann_file = f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}'
test_evaluator = _base_.val_evaluator

# --show and --show-dir of tools/test.py draw the CAMs over the images.
default_hooks = dict(
    visualization=dict(type='mmwsis.ClassMapVisualizationHook', draw=False)
)

# Small classifiers from scratch on two CPU cores. The paper's SGD without momentum needs
# pretrained weights; AdamW does not. Iterations, not epochs, so that the recipe also fits
# datasets of another size.
max_iters = 150
warmup_iters = 20
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05)
)
param_scheduler = [
    dict(type='mmwsis.LinearWarmupLR', by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        by_epoch=False,
        begin=warmup_iters,
        end=max_iters,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=16)

wsis = dict(
    method='IRNet',
    stage='classifier',
    supervision='image_tags',
    produces='data/synthetic/class_maps/irnet',
)
