# Small labelers on two CPU cores. Iterations, not epochs, so that the recipe also fits
# datasets of another size.
max_iters = 1400
warmup_iters = 140
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=7e-4, betas=(0.9, 0.99), eps=1e-8, weight_decay=5e-4
    ),
)
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
auto_scale_lr = dict(enable=False, base_batch_size=8)
