# The paper's words on the schedule: 70 epochs of 32 crops, polynomial decay without a
# warm-up. The released one is bestie_hrnet-w48_voc.py.
_base_ = './bestie_hrnet-w48_voc.py'

max_epochs = 70
train_cfg = dict(
    _delete_=True, type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=2
)
param_scheduler = [
    dict(
        type='mmwsis.PolyDecayLR',
        power=0.9,
        eta_min=0,
        by_epoch=True,
        begin=0,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
train_dataloader = dict(
    batch_size=8,  # 4 GPUs
    sampler=dict(type='mmwsis.SeededEpochSampler', shuffle=True),
)
auto_scale_lr = dict(enable=False, base_batch_size=32)
default_hooks = dict(checkpoint=dict(by_epoch=True, interval=2))
log_processor = dict(by_epoch=True)
