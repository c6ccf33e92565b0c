# Weak panoptic: 150,000 iterations on single crops in every round; SGD as in DeepLab.
max_iters = 150000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=2.5e-4, momentum=0.9, weight_decay=5e-4),
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
auto_scale_lr = dict(enable=False, base_batch_size=1)
