# Loaders of IRNet: crops with inter-pixel relation labels for training, whole images with
# their class maps for labelling. `LoadSemanticMap` and `LoadClassMaps` name the folders
# that earlier stages wrote; the data set's file says which.
train_dataloader = dict(
    batch_size=32,  # one GPU
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='mmwsis.SeededEpochSampler', shuffle=True),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        filter_cfg=None,  # all of an image without tags is sure background
    ),
)
# The images to label; the mean displacement is theirs, too.
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=4,
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        filter_cfg=None,
        test_mode=True,
    ),
)
artefact = 'instances'
# Pseudo labels are measured when they are made: tools/analysis_tools/pseudo_label_quality.py
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = None
test_evaluator = None
test_cfg = None
