# The semantic network of weak panoptic on a few hundred photographs, without a GPU:
# EfficientNet-Lite0 with ImageNet weights; UPerNet's pyramid, PSPNet's pooling on top of it,
# makes up for its stride of 32.
_base_ = [
    '../_base_/models/weak_panoptic_r101.py',
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small_panoptic.py',
    '../_base_/datasets/weak_panoptic_images.py',
    '../_base_/schedules/weak_panoptic_150k.py',
    '../_base_/end_to_end_runtime.py',
]

model = dict(
    num_things_classes=1,
    num_stuff_classes=1,
    data_preprocessor=dict(**_base_.pixel_norm),
    backbone=dict(_delete_=True, **_base_.backbone),
    decode_head=dict(
        type='mmseg.UPerHead',
        num_classes=2,
        in_channels=[24, 40, 112, 320],
        in_index=[0, 1, 2, 3],
        channels=64,
    ),
    auxiliary_head=None,
    instance_head=None,  # weak_panoptic_efficientnet-lite0_small.py has it
    norm_eval=False,  # of the head, which is new; the backbone's stay as they are
    # The labels of the next round; `merge` is switched off from the sixth on.
    test_cfg=dict(
        refinement=dict(
            crf=dict(kernels='deeplab_v2', num_iters=10),
            score_thr=0.99,
            tags=True,
            merge=True,
            box_prior=True,
            low_iou=0.5,
            instances=True,
        ),
    ),
)

# Labels that are trained on: of the first round here, of the others by the pipeline.
labels = 'data/small/pseudo_labels/weak_panoptic_round0.json'
box_labels = 'data/small/pseudo_labels/box_labels'
_base_.label_map.ann_file = labels
_base_.known_labels[0].folder = box_labels
_base_.augmentation[0] = dict(
    type='mmwsis.RandomLongSide', long_side=(256, 512), interpolation='bilinear'
)
_base_.augmentation[2].crop_size = 256
long_side = dict(
    type='mmwsis.RandomLongSide', long_side=(320, 320), interpolation='bilinear'
)
train_dataloader = dict(
    _delete_=True,
    **{**_base_.train_loader, 'batch_size': 4, 'num_workers': 1},
    dataset=dict(
        **_base_.weak_dataset,
        **_base_.train_boxes,
        pipeline=[
            dict(type='LoadImageFromFile'),
            _base_.label_map,
            *_base_.augmentation,
        ],
    ),
)
pseudo_label_dataloader = dict(
    **{**_base_.label_loader, 'num_workers': 1},
    dataset=dict(
        **_base_.weak_dataset,
        **_base_.train_boxes,
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            long_side,
            *_base_.known_labels,
            dict(type='mmwsis.PackWeakInputs'),
        ],
    ),
)
artifact = 'panoptic_maps'
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        return_classes=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            long_side,
            dict(type='mmwsis.PackWeakInputs', with_tags=False),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type='mmwsis.SemanticIoUMetric', **_base_.val_panoptic
)
test_evaluator = val_evaluator

# Iterations, not epochs, so that the recipe also fits datasets of another size.
max_iters = 400
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
# On full labels of 180 facades lr=1e-3 has a mIoU of .20 on these images, 3e-3 of .34.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=3e-3, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
_base_.param_scheduler[0].end = max_iters
param_scheduler = _base_.param_scheduler
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(
    logger=dict(interval=25),
    checkpoint=dict(interval=400, max_keep_ckpts=1),
    visualization=dict(type='mmwsis.PanopticVisualizationHook'),
)

wsis = dict(
    method='Weak panoptic',
    stage='end_to_end',
    supervision='boxes',
    requires=[
        'configs/weak_panoptic/merged-labels_small.py',
        'configs/weak_panoptic/box-labels_small.py',
    ],
    produces='data/small/pseudo_labels/weak_panoptic_round1.json',
)
