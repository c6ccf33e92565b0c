# Small labelers on a backbone that has learned already, which the mask head has not: fewer
# iterations, and a tenth of the rate for the backbone.
_base_ = './labeler_small.py'

max_iters = 800
warmup_iters = 80
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)

optim_wrapper = dict(
    optimizer=dict(lr=5e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
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
