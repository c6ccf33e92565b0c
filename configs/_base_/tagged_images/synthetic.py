# Images of 128 pixels.
_base_ = ['./tagged_images.py', '../datasets/synthetic.py']

train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.RandomLongSide', long_side=(96, 160)),
    dict(
        type='mmdet.RandomFlip',
        prob=0.75,
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='mmwsis.RandomCropOrPad', crop_size=128),
    dict(type='mmwsis.PackWeakInputs'),
]
# Enlarged images alone: a cell of stride 8 is large for objects of 30 to 70 pixels.
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ImageScales', scales=(1.5, 2.0)),
    dict(type='mmwsis.PackWeakInputs'),
]
train_dataloader = dict(
    num_workers=1,
    sampler=dict(_delete_=True, type='mmwsis.SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(
    num_workers=1,
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(
    ann_file=f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}'
)
test_evaluator = val_evaluator
