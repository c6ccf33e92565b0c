# The classifier of crops of a few hundred photographs, without a GPU: EfficientNet-Lite0 of
# stride 16 with ImageNet weights; stem and first two stages stay as they are.
_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small_panoptic.py',
    '../_base_/datasets/tag_crops.py',
    '../_base_/small_runtime.py',
]

model = dict(
    type='mmwsis.CropTagClassifier',
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
    head=dict(type='mmwsis.ClassMapHead', num_classes=2, in_channels=1280, bias=True),
    map_extractor=dict(type='mmwsis.GradCAM'),
    test_cfg=dict(threshold=0.5),  # of a map's maximum
)
# The 1x1 convolution behind the last stage, which ImageNet's classifier reads.
model['backbone']['out_indices'] = (5,)

_base_.tag_dataset.update(
    **_base_.train_boxes,
)
_base_.crop_loader.num_workers = 1
train_dataloader = dict(
    _delete_=True,
    **_base_.crop_loader,
    dataset=dict(**_base_.tag_dataset, pipeline=_base_.crop_pipeline),
)
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(**_base_.tag_dataset, test_mode=True, pipeline=_base_.label_pipeline),
)
# There are no masks to measure on; generation refuses the maps of a classifier at chance.
val_dataloader = None
test_dataloader = None
val_evaluator = None
test_evaluator = None

# Iterations, not epochs, so that the recipe also fits datasets of another size.
max_iters = 200
warmup_iters = 20
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
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
    method='Weak panoptic',
    stage='classifier',
    supervision='image_tags',
    produces='data/small/pseudo_labels/grad_cam',
)
