# Pipelines of IRNet: crops with inter-pixel relation labels to train on, whole images with
# their CAMs to label. A config says in which folders the earlier stages wrote both.
train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadSemanticMap'),
    dict(type='mmwsis.RandomRescale', scale=(0.5, 1.5)),
    dict(type='mmwsis.RandomFlip', prob=0.5),
    dict(type='mmwsis.RandomCropOrPad', crop_size=512, seg_pad_value=255),
    dict(type='mmwsis.PackWeakInputs'),
]
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadClassMaps', names=('cam',)),
    dict(type='mmwsis.PackWeakInputs'),
]
artifact = 'instances'
# Pseudo labels are measured when they are made: tools/analysis_tools/pseudo_label_quality.py
val_evaluator = None
val_cfg = None
test_evaluator = None
test_cfg = None
