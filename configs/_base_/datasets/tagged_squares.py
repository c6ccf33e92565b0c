# Pipelines of BESTIE's classifier (supplement, released code): whole images resized to
# squares, whatever their aspect ratio. Validation is that of other classifiers.
_base_ = './tagged_images.py'

train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ResizeToSize', size=384, interpolation='bilinear'),
    dict(type='mmwsis.RandomMirror', prob=0.5),
    dict(
        type='mmwsis.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1
    ),
    dict(type='mmwsis.RandomCropOrPad', crop_size=321),
    dict(type='mmwsis.PackWeakInputs'),
]
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ResizeToSize', size=321, interpolation='bilinear'),
    dict(type='mmwsis.PackWeakInputs'),
]
# Instance cues; `--artifact class_maps` writes the maps that they are the peaks of.
artifact = 'points'
