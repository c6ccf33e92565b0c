_base_ = [
    '../_base_/models/mal_efficientnet-lite0.py',
    '../_base_/datasets/small.py',
    '../_base_/datasets/object_crops_192.py',
    '../_base_/schedules/labeler_small.py',
    '../_base_/small_labeler_runtime.py',
]

train_dataloader = dict(
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='boxes',
        ann_file=_base_.data_spec.train.weak.boxes,
        filter_cfg=dict(_delete_=True, min_area=64, max_area=1e10, min_size=2),
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(type='mmwsis.ObjectCropDataset', pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
# Every annotation of the training images.
pseudo_label_dataloader = dict(
    batch_size=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='boxes',
        ann_file=_base_.data_spec.train.weak.boxes,
        pipeline=_base_.test_pipeline,
    ),
)

model = dict(
    # So that masks start as the whole crop, whatever the seed.
    network=dict(mask_head=dict(vector_bias=0.08)),
    crf_ramp=dict(iters=400),
)
max_iters = 800
warmup_iters = 80
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='mmwsis.LinearWarmupLR', by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.02,
        by_epoch=False,
        begin=warmup_iters,
        end=max_iters,
    ),
]
# At EXITS' 7e-4 the projection loss stays on its plateau: the whole box is predicted.
# The backbone has learned already; the mask head has not.
optim_wrapper = dict(
    optimizer=dict(lr=2e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)

# configs/exits has a file of this name.
work_dir = 'work_dirs/mal/labeler_efficientnet-lite0_small'

wsis = dict(
    method='MAL',
    stage='labeler',
    supervision='boxes',
    produces='data/small/pseudo_labels/mal.json',
)
