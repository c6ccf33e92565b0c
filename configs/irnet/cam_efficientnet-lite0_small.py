# The classifier of a few hundred photographs, without a GPU: EfficientNet-Lite0 of stride
# 16 with ImageNet weights; stem and first two stages stay as they are.
_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small.py',
    '../_base_/datasets/tagged_images.py',
    '../_base_/small_runtime.py',
]

model = dict(
    type='mmwsis.CAMClassifier',
    data_preprocessor=dict(
        type='mmwsis.WholeImagePreprocessor',
        mean=_base_.pixel_norm.mean,
        std=_base_.pixel_norm.std,
        bgr_to_rgb=False,  # LoadCachedImage gives RGB
    ),
    backbone=dict(
        **_base_.backbone,
        strides=(1, 2, 2, 2, 1),
        dilations=(1, 1, 1, 1, 2),
        frozen_stages=2,
    ),
    head=dict(type='mmwsis.ClassMapHead', num_classes=1, in_channels=1280),
    map_extractor=dict(type='mmwsis.MultiScaleCAM', stride=16),
)
# The 1x1 convolution behind the last stage, which ImageNet's classifier reads.
model['backbone']['out_indices'] = (5,)

train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.RandomLongSide', long_side=(200, 320)),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmwsis.RandomCropOrPad', crop_size=224),
    dict(type='mmwsis.PackWeakInputs'),
]
# Photographs of any size are looked at at the same ones; maps have the photograph's.
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.RandomLongSide', long_side=(352, 352)),
    dict(type='mmwsis.ImageScales', scales=(0.75, 1.0, 1.5)),
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

# Iterations, not epochs, so that the recipe also fits datasets of another size.
max_iters = 160
warmup_iters = 20
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys={'head.classifier': dict(lr_mult=10)}),
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
    produces='data/small/class_maps/irnet',
)
