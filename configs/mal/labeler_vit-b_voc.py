_base_ = [
    '../_base_/models/mal_vit-b.py',
    '../_base_/datasets/voc.py',
    '../_base_/datasets/object_crops.py',
    '../_base_/schedules/labeler_10e.py',
    '../_base_/labeler_runtime.py',
]

train_dataloader = dict(
    batch_size=4,  # per GPU, 8 GPUs
    num_workers=4,
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='boxes',
        ann_file=_base_.data_spec.train.weak.boxes,
        filter_cfg=dict(_delete_=True, min_area=2048, max_area=1e10, min_size=2),
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(type='mmwsis.ObjectCropDataset', pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
# Every annotation of the training images.
pseudo_label_dataloader = dict(
    batch_size=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='boxes',
        ann_file=_base_.data_spec.train.weak.boxes,
        pipeline=_base_.test_pipeline,
    ),
)

max_epochs = 80
train_cfg = dict(max_epochs=max_epochs)
# The same warm-up; the cosine ends with the training.
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_epochs),
]

# configs/exits has a file of this name.
work_dir = 'work_dirs/mal/labeler_vit-b_voc'

wsis = dict(
    method='MAL',
    stage='labeler',
    supervision='boxes',
    produces='data/voc/pseudo_labels/mal.json',
)
