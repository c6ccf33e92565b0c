# BESTIE's classifier (supplement, released code): 15 epochs of SGD, a tenth of the rate
# from the 5th epoch on and again from the 10th.
max_epochs = 15
train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

# Four rates: 1 for pretrained weights, 2 for pretrained biases, 10 for new weights and 20
# for new biases. The longest key that is in a parameter's name counts.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4),
    paramwise_cfg=dict(
        bias_lr_mult=2,
        custom_keys={
            'head': dict(lr_mult=10),
            'conv.bias': dict(lr_mult=20),
            'classifier.bias': dict(lr_mult=20),
        },
    ),
)
param_scheduler = [
    # Counted from 0: the 5th and the 10th epoch.
    dict(type='MultiStepLR', by_epoch=True, milestones=[4, 9], gamma=0.1),
]
# Two GPUs x 5 images there; nothing in the network depends on how a batch is split.
auto_scale_lr = dict(enable=False, base_batch_size=10)
