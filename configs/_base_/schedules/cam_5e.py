# IRNet, released code: 5 epochs of SGD with polynomial decay, ten times the rate for the
# head. Its optimiser takes the weight decay for the momentum as well; the rates are tuned
# for that, with a momentum of 0.9 they would be about ten times too high.
max_epochs = 5
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10))),
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
# One GPU x 16 images.
auto_scale_lr = dict(enable=False, base_batch_size=16)
