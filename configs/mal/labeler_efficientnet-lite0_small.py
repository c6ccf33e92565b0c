_base_ = [
    '../_base_/models/mal_efficientnet-lite0.py',
    '../_base_/datasets/small.py',
    '../_base_/datasets/object_crops_small.py',
    '../_base_/schedules/labeler_pretrained.py',
    '../_base_/small_labeler_runtime.py',
]

train_dataloader = dict(
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='boxes',
        ann_file=_base_.data_spec.train.weak.boxes,
        filter_cfg=dict(_delete_=True, min_area=64, max_area=1e10, min_size=2),
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

# configs/exits has a file of this name.
work_dir = 'work_dirs/mal/labeler_efficientnet-lite0_small'

wsis = dict(
    method='MAL',
    stage='labeler',
    supervision='boxes',
    produces='data/small/pseudo_labels/mal.json',
)
