# Instance cues of a few hundred photographs, without a GPU: EfficientNet-Lite0 of stride 16
# with ImageNet weights, of which stem and first two stages stay as they are, and three
# convolutions with peak attention.
_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small.py',
    '../_base_/datasets/tagged_squares.py',
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
    head=dict(
        type='mmwsis.PeakAttentionHead',
        num_classes=1,
        in_channels=320,
        feat_channels=128,
        num_convs=3,
        act_cfg=dict(type='mmwsis.PeakAttention', alpha=0.7),
    ),
    map_extractor=dict(type='mmwsis.FlippedCAM', smoothing=3),
    test_cfg=dict(
        kernel_size=15,
        min_score=0.1,
        max_per_class=25,
        merge_plateaus=False,
        score_digits=3,
    ),
)
model['backbone']['out_indices'] = (4,)

# The proportions of the paper, two thirds of its sizes.
train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ResizeToSize', size=268, interpolation='bilinear'),
    dict(type='mmwsis.RandomMirror', prob=0.5),
    dict(
        type='mmwsis.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1
    ),
    dict(type='mmwsis.RandomCropOrPad', crop_size=224),
    dict(type='mmwsis.PackWeakInputs'),
]
# Enlarged images: a cell of stride 16 would be large for objects at the size of training.
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ResizeToSize', size=384, interpolation='bilinear'),
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

# --show and --show-dir of tools/test.py draw the maps and their cues over the images.
default_hooks = dict(
    visualization=dict(
        type='mmwsis.ClassMapVisualizationHook', draw=False, show_points=True
    )
)

# Iterations, not epochs, so that the recipe also fits datasets of another size.
max_iters = 200
warmup_iters = 20
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.05),
    # Means of sparse maps are small numbers, which large weights have to make up for.
    paramwise_cfg=dict(
        custom_keys={
            'head': dict(lr_mult=10),
            'head.classifier': dict(lr_mult=100),
        }
    ),
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
    method='BESTIE',
    stage='classifier',
    supervision='image_tags',
    produces='data/small/pseudo_labels/bestie_cues.json',
)
