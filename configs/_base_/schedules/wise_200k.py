# WISE: 200,000 iterations of Adam on single images, at a constant rate. The weight decay is
# L2 inside of Adam; what is frozen is not in the optimizer.
max_iters = 200000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='mmwsis.TrainableParametersConstructor',
    optimizer=dict(type='Adam', lr=1e-5, betas=(0.9, 0.999), weight_decay=5e-4),
)
param_scheduler = None
auto_scale_lr = dict(enable=False, base_batch_size=1)
