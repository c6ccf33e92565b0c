# IRNet's heads on two CPU cores: the paper's optimiser and rates. Iterations, not epochs,
# so that the recipe also fits data sets of another size.
max_iters = 200
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(displacement_head=dict(lr_mult=10))),
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
auto_scale_lr = dict(enable=False, base_batch_size=8)
