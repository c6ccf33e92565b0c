# The semantic network of weak panoptic on scenes of 128 pixels, enlarged, on two CPU cores.
# There are no ImageNet weights: three groups of a narrow ResNet-18, stride 8, from scratch.
_base_ = [
    '../_base_/models/weak_panoptic_r101.py',
    '../_base_/datasets/synthetic_panoptic.py',
    '../_base_/datasets/weak_panoptic_images.py',
    '../_base_/schedules/weak_panoptic_150k.py',
    '../_base_/end_to_end_runtime.py',
]

model = dict(
    num_things_classes=6,
    num_stuff_classes=3,
    norm_eval=False,  # learned: there are no statistics of ImageNet
    backbone=dict(
        _delete_=True,
        type='mmseg.ResNet',
        depth=18,
        num_stages=3,
        base_channels=32,
        strides=(1, 2, 1),
        dilations=(1, 1, 2),
        out_indices=(0, 1, 2),
        norm_cfg=dict(type='BN', momentum=0.05),
        norm_eval=False,
    ),
    decode_head=dict(
        num_classes=9,
        in_channels=128,
        in_index=2,
        channels=64,
        norm_cfg=dict(type='BN', momentum=0.05),
    ),
    auxiliary_head=None,
    instance_head=None,  # weak_panoptic_r18_synthetic.py has it
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
labels = 'data/synthetic/pseudo_labels/weak_panoptic_round0.json'
box_labels = 'data/synthetic/pseudo_labels/box_labels'
_base_.label_map.ann_file = labels
_base_.known_labels[0].folder = box_labels
_base_.augmentation[0].scale = (1.0, 2.0)
_base_.augmentation[2].crop_size = 160
enlarge = dict(type='mmwsis.ResizeToSize', size=192, interpolation='bilinear')
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
            enlarge,
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
            enlarge,
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
max_iters = 300
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01),
)
_base_.param_scheduler[0].end = max_iters
param_scheduler = _base_.param_scheduler
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(
    logger=dict(interval=25),
    checkpoint=dict(interval=300, max_keep_ckpts=1),
    visualization=dict(type='mmwsis.PanopticVisualizationHook'),
)

wsis = dict(
    method='Weak panoptic',
    stage='end_to_end',
    supervision='boxes',
    requires=[
        'configs/weak_panoptic/merged-labels_synthetic.py',
        'configs/weak_panoptic/box-labels_synthetic.py',
    ],
    produces='data/synthetic/pseudo_labels/weak_panoptic_round1.json',
)
