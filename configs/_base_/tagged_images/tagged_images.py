# Loaders of whole images with their tags, for classifiers (IRNet, released code).
train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.RandomLongSide', long_side=(320, 640)),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmwsis.RandomCropOrPad', crop_size=512),
    dict(type='mmwsis.PackWeakInputs'),
]
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ImageScales', scales=(1.0, 0.5, 1.5, 2.0)),
    dict(type='mmwsis.PackWeakInputs'),
]

train_dataloader = dict(
    batch_size=16,  # one GPU
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='mmwsis.SeededEpochSampler', shuffle=True),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        filter_cfg=None,  # an image without tags is an example, too
        pipeline=train_pipeline,
    ),
)
# Whether the class maps point at the objects: against masks that are never trained on.
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='masks',
        filter_cfg=None,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# What tools/generate_pseudo_labels.py makes class maps of: every training image.
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=4,
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        filter_cfg=None,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
artifact = 'class_maps'
val_evaluator = dict(type='mmwsis.ClassMapMetric', threshold=0.15)
test_evaluator = val_evaluator
