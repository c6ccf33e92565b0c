_base_ = [
    '../_base_/models/exits_vit-b.py',
    '../_base_/datasets/coco.py',
    '../_base_/datasets/object_crops.py',
    '../_base_/schedules/labeler_10e.py',
    '../_base_/labeler_runtime.py',
]

train_dataloader = dict(
    batch_size=4,  # per GPU, 8 GPUs
    num_workers=4,
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='extreme_points',
        ann_file=_base_.data_spec.train.weak.extreme_points,
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
        supervision='extreme_points',
        ann_file=_base_.data_spec.train.weak.extreme_points,
        pipeline=_base_.test_pipeline,
    ),
)

similarity_extractor = 'work_dirs/similarity-extractor_vit-b_coco/epoch_1.pth'
model = dict(
    similarity_extractor=dict(
        init_cfg=dict(
            type='mmwsis.EncoderPretrained',
            checkpoint=similarity_extractor,
            source='mmwsis',
            made_by='python tools/train.py configs/exits/similarity-extractor_vit-b_coco.py',
        )
    ),
)

# The points retrieved for a few crops, as images and in TensorBoard.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.RetrievalVisualizationHook', interval=1000),
]

wsis = dict(
    method='EXITS',
    stage='labeler',
    supervision='extreme_points',
    requires=['configs/exits/similarity-extractor_vit-b_coco.py'],
    produces='data/coco/pseudo_labels/exits.json',
)
