# Pipelines of whole images with their tags, for classifiers (IRNet, released code).
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
artifact = 'class_maps'
# Whether the classifier knows the tags, and whether its CAMs point at the objects; a
# config adds the file with the masks.
val_evaluator = [
    dict(type='mmwsis.TagAccuracyMetric'),
    dict(type='mmwsis.ClassMapMetric', threshold=0.15),
]
# Share of the training images that are kept apart to measure the first of them, where a
# dataset file (--dataset) has no val.
held_out = 0.1
test_evaluator = val_evaluator
