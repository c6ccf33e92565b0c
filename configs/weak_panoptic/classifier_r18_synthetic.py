# The classes of crops of 128x128 scenes, on two CPU cores: a narrow ResNet-18 from scratch,
# three groups, stride 8.
_base_ = [
    '../_base_/models/gradcam_r50.py',
    '../_base_/datasets/synthetic_panoptic.py',
    '../_base_/datasets/tag_crops.py',
    '../_base_/small_runtime.py',
]

model = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        base_channels=32,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2,),
        norm_eval=False,
        init_cfg=None,
    ),
    head=dict(num_classes=9, in_channels=128),
)

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

max_iters = 300
warmup_iters = 20
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
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
    method='Weak panoptic',
    stage='classifier',
    supervision='image_tags',
    produces='data/synthetic/pseudo_labels/grad_cam',
)
