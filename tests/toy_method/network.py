# A network that learns where centres are; labeler of each round and final model.
_base_ = 'data.py'

model = dict(
    type='mmwsis.PointNetwork',
    num_classes=6,
    backbone=dict(type='mmwsis.TwoConvolutions', channels=8),
    data_preprocessor=dict(
        type='mmwsis.WeakDataPreprocessor', mean=[120.0] * 3, std=[60.0] * 3
    ),
)
load = dict(type='mmwsis.LoadCachedImage')
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        _base_.dataset,
        pipeline=[
            load,
            # Clicks have no score; of an earlier round's peaks the best ones are used.
            dict(type='mmwsis.LoadWeakAnnotations', score_thr=0.5),
            dict(type='mmwsis.RandomChoiceRescale', factors=(0.9, 1.0, 1.1)),
            dict(type='mmwsis.RandomCropOrPad', crop_size=56),
            dict(type='mmwsis.RandomMirror'),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    ),
)
test_pipeline = [load, dict(type='mmwsis.PackWeakInputs')]
pseudo_label_dataloader = dict(
    batch_size=2,
    num_workers=0,
    dataset=dict(_base_.dataset, pipeline=test_pipeline, test_mode=True),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        _base_.dataset,
        supervision='masks',
        ann_file='scenes/annotations/instances_val.json',
        data_prefix=dict(img='scenes/val/'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(
    type='mmwsis.CocoInstanceMetric',
    ann_file='scenes/annotations/instances_val.json',
    metric='segm',
)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40, val_interval=40)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.01))
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=10, by_epoch=False)
)
custom_hooks = [dict(type='mmwsis.ExactResumeHook')]
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
artifact = 'points'
wsis = dict(method='TOY', stage='end_to_end', supervision='points')
