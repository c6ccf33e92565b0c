# Crops of 128 pixels of images of about that size.
_base_ = ['./object_crops.py', '../datasets/synthetic.py']

crop_size = 128
train_pipeline = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(type='mmwsis.ObjectCrop', crop_size=crop_size, train=True, max_margin=1.2),
    dict(type='mmwsis.ObjectCropFlip', prob=0.5),
    dict(
        type='mmwsis.TeacherStudentViews',
        jitter=dict(prob=0.5, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1),
        gray_prob=0.2,
        blur=dict(prob=0.5, radius=(0.1, 1.0)),
    ),
    dict(type='mmwsis.PackObjectCrop'),
]
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(type='mmwsis.ObjectCrop', crop_size=crop_size, train=False, test_margin=0.3),
    dict(type='mmwsis.PackObjectCrop'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(_delete_=True, type='mmwsis.SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.extreme_points,
        data_prefix=dict(img=_base_.data_spec.train.img),
        filter_cfg=dict(min_area=64),
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
        ann_file=_base_.data_spec.train.weak.extreme_points,
        data_prefix=dict(img=_base_.data_spec.train.img),
        pipeline=test_pipeline,
    ),
)
