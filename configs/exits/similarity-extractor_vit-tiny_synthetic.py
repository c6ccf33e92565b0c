_base_ = [
    '../_base_/models/similarity_extractor_vit-tiny.py',
    '../_base_/object_crops/synthetic.py',
    '../_base_/schedules/labeler_small.py',
    '../_base_/small_runtime.py',
]

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
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.2,
        by_epoch=False,
        begin=warmup_iters,
        end=max_iters,
    ),
]

wsis = dict(
    method='EXITS',
    stage='similarity_extractor',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/synthetic/weak/extreme_points_train.json',
            command='python tools/dataset_converters/make_synthetic.py --out data/synthetic',
        ),
        dict(
            path=mae,
            command='python tools/train.py configs/exits/mae_vit-tiny_synthetic.py',
        ),
    ],
    produces='work_dirs/similarity-extractor_vit-tiny_synthetic/iter_250.pth',
)
