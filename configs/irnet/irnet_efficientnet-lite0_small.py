# IRNet on a few hundred photographs, without a GPU: EfficientNet-Lite0 of stride 16 with
# ImageNet weights, not the classifier's, frozen as in the paper, and its four levels.
_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/models/irnet_r50.py',
    '../_base_/datasets/small.py',
    '../_base_/datasets/relation_pairs.py',
    '../_base_/small_runtime.py',
]

levels = dict(in_channels=(24, 40, 112, 320), strides=(4, 8, 16, 16))
model = dict(
    data_preprocessor=dict(mean=_base_.pixel_norm.mean, std=_base_.pixel_norm.std),
    backbone=dict(
        _delete_=True,
        **_base_.backbone,
        strides=(1, 2, 2, 2, 1),
        dilations=(1, 1, 1, 1, 2),
        frozen_stages=4,
    ),
    boundary_head=levels,
    displacement_head=dict(
        **levels, feat_channels=(64, 64, 128, 128), num_groups=(8, 8, 16, 16)
    ),
    loss=dict(num_classes=1),
    # The walk is the paper's; its thresholds are those at which labels of training
    # photographs are best.
    test_cfg=dict(min_size=352, instance_threshold=0.4, semantic_threshold=0.4),
)

# Photographs of any size are looked at at this one; labels have the photograph's.
long_side = 352
relation_labels = 'data/small/relation_labels/irnet'
class_maps = 'data/small/class_maps/irnet'
train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadSemanticMap', folder=relation_labels),
    dict(type='mmwsis.RandomLongSide', long_side=(224, 448)),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmwsis.RandomCropOrPad', crop_size=256, seg_pad_value=255),
    dict(type='mmwsis.PackWeakInputs'),
]
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadClassMaps', folder=class_maps, names=('cam',)),
    dict(type='mmwsis.RandomLongSide', long_side=(long_side, long_side)),
    dict(type='mmwsis.PackWeakInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
pseudo_label_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = None
test_dataloader = None

# The paper's SGD without momentum needs a thousand iterations of 32 crops; AdamW does with
# fewer. Iterations, not epochs, so that the recipe also fits datasets of another size.
max_iters = 300
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4)
)
param_scheduler = [
    dict(
        type='mmwsis.PolyDecayLR',
        power=0.9,
        eta_min=0,
        by_epoch=False,
        begin=0,
        end=max_iters,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)

# When training is over, the mean displacement is found.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.DisplacementMeanHook', crop_size=256, whole_batches=32),
]

wsis = dict(
    method='IRNet',
    stage='labeler',
    supervision='image_tags',
    requires=[
        'configs/irnet/cam_efficientnet-lite0_small.py',
        'configs/irnet/relation-labels_small.py',
    ],
    produces='data/small/pseudo_labels/irnet.json',
)
