# Pipelines of one sample per annotation (MAL, released code; EXITS reuses them). It takes
# the edges of boxes for indices of pixels, which the published results come from.
crop_size = 512

train_pipeline = [
    dict(type='mmwsis.LoadCachedImage'),
    dict(
        type='mmwsis.ObjectCrop',
        crop_size=crop_size,
        train=True,
        max_margin=1.2,
        rule='released',
    ),
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
    dict(
        type='mmwsis.ObjectCrop',
        crop_size=crop_size,
        train=False,
        test_margin=0.3,
        rule='released',
    ),
    dict(type='mmwsis.PackObjectCrop'),
]
# Of the labeler's masks, against those that it never trains on.
val_evaluator = dict(type='mmwsis.PseudoLabelMetric')
test_evaluator = val_evaluator
