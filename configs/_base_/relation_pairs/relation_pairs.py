# Loader of IRNet's training: crops with inter-pixel relation labels. `LoadSemanticMap`
# names the folder that an earlier stage wrote; the dataset's file says which. The images
# to label, from which the mean displacement is taken too, are those of stored_class_maps.
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
artifact = 'instances'
# Pseudo labels are measured when they are made: tools/analysis_tools/pseudo_label_quality.py
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = None
test_evaluator = None
test_cfg = None
