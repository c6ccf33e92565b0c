# MAL, released code: 10 epochs of AdamW, all parameters in one group. The rate is set per
# iteration: one epoch of linear warm-up, then cosine to a fifth.
max_epochs = 10
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    # --amp turns this into the AmpOptimWrapper (fp16) of the paper; it needs CUDA.
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW',
        lr=1.5e-6 * 32,  # per sample of the batch
        betas=(0.9, 0.9),
        eps=1e-8,
        weight_decay=5e-4,
    ),
)
param_scheduler = [
    dict(
        type='mmwsis.LinearWarmupLR',
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='mmwsis.CosineDecayLR',
        eta_min_ratio=0.2,
        by_epoch=True,
        begin=1,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]

# 8 GPUs x 4 crops.
auto_scale_lr = dict(enable=False, base_batch_size=32)
