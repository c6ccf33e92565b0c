# BESTIE, released code: 50,000 iterations of Adam, 4 GPUs x 4 crops (75.6 epochs of VOC),
# 2,000 of them warm-up; the rate falls polynomially all the time:
#   5e-5 * (0.001 + 0.999 * min(i / 2000, 1)) * (1 - i / 50000) ** 0.9
max_iters = 50000
warmup_iters = 2000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=1000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=5e-5, betas=(0.9, 0.999), weight_decay=0),
)
param_scheduler = [
    dict(
        type='mmwsis.LinearWarmupLR',
        start_factor=0.001,
        by_epoch=False,
        begin=0,
        end=warmup_iters,
    ),
    dict(
        type='mmwsis.PolyDecayLR',
        power=0.9,
        eta_min=0,
        by_epoch=False,
        begin=0,
        end=max_iters,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=16)

# Statistics of all GPUs' crops; without several GPUs these are ordinary batch norms.
sync_bn = 'torch'
