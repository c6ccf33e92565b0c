# IRNet, released code: 3 epochs of SGD with polynomial decay, ten times the rate for the
# displacement head. As for the classifier, its optimiser takes the weight decay for the
# momentum as well, and the rates are tuned for that.
max_epochs = 3
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)

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
        by_epoch=True,
        begin=0,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
# One GPU x 32 crops.
auto_scale_lr = dict(enable=False, base_batch_size=32)
