_base_ = './labeler_10e.py'

max_epochs = 1
train_cfg = dict(max_epochs=max_epochs)
# One epoch leaves no room for an epoch of warm-up: a tenth of the iterations.
param_scheduler = [
    dict(
        type='mmwsis.LinearWarmupLR',
        by_epoch=True,
        begin=0,
        end=0.1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.2,
        by_epoch=True,
        begin=0.1,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
