_base_ = [
    '../_base_/models/similarity_extractor_vit-tiny.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/datasets/object_crops_small.py',
    '../_base_/schedules/labeler_small.py',
    '../_base_/small_runtime.py',
]

train_dataloader = dict(
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='extreme_points',
        ann_file=_base_.data_spec.train.weak.extreme_points,
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
        supervision='extreme_points',
        ann_file=_base_.data_spec.train.weak.extreme_points,
        pipeline=_base_.test_pipeline,
    ),
)

max_iters = 250
warmup_iters = 25

mae = 'work_dirs/mae_vit-tiny_synthetic/iter_800.pth'
model = dict(
    network=dict(
        encoder=dict(
            init_cfg=dict(
                checkpoint=mae,
                made_by='python tools/train.py configs/exits/mae_vit-tiny_synthetic.py',
            )
        )
    ),
    mil_ramp=dict(iters=100, first_epoch_only=False),
)

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='mmwsis.LinearWarmupLR', by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.2,
        by_epoch=False,
        begin=warmup_iters,
        end=max_iters,
    ),
]

# --show and --show-dir of tools/test.py switch it on.
default_hooks = dict(
    visualization=dict(type='mmwsis.CropPredictionVisualizationHook', draw=False)
)

wsis = dict(
    method='EXITS',
    stage='similarity_extractor',
    supervision='extreme_points',
    requires=['configs/exits/mae_vit-tiny_synthetic.py'],
)
