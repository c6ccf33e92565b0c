# Crops of 192 pixels, for photographs of some hundred pixels.
_base_ = './object_crops.py'

crop_size = 192

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
