# IRNet's heads on two CPU cores. The paper's SGD without momentum needs a thousand
# iterations of 32 crops; AdamW does with fewer. Iterations, not epochs, so that the recipe
# also fits datasets of another size.
max_iters = 300
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3, weight_decay=1e-4)
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
