# Loaders of one sample an annotation (MAL, released code; EXITS reuses them).
crop_size = 512

train_pipeline = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(type='mmwsis.ObjectCrop', crop_size=crop_size, train=True, max_margin=1.2),
    dict(type='mmwsis.ObjectCropFlip', prob=0.5),
    dict(
        type='mmwsis.TeacherStudentViews',
        jitter=dict(prob=0.5, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1),
        gray_prob=0.2,
        blur=dict(prob=0.5, radius=(0.1, 2.0)),
    ),
    dict(type='mmwsis.PackObjectCrop'),
]
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(type='mmwsis.ObjectCrop', crop_size=crop_size, train=False, test_margin=0.3),
    dict(type='mmwsis.PackObjectCrop'),
]

train_dataloader = dict(
    batch_size=4,  # per GPU, 8 GPUs
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='mmwsis.SeededEpochSampler', shuffle=True),
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='extreme_points',
        filter_cfg=dict(min_area=2048, max_area=1e10, min_size=2),
        pipeline=train_pipeline,
    ),
)
# Evaluation of the labeler against masks that it never trains on.
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='masks',
        filter_cfg=None,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# What tools/generate_pseudo_labels.py labels: every annotation of the training images.
pseudo_label_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='extreme_points',
        filter_cfg=None,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='mmwsis.PseudoLabelMetric')
test_evaluator = val_evaluator
