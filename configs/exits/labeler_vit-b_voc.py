_base_ = [
    '../_base_/models/exits_vit-b.py',
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

max_epochs = 80
train_cfg = dict(max_epochs=max_epochs)
# The same warm-up; the cosine ends with the training.
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_epochs),
]

similarity_extractor = 'work_dirs/similarity-extractor_vit-b_voc/epoch_8.pth'
model = dict(
    similarity_extractor=dict(
        init_cfg=dict(
            type='mmwsis.EncoderPretrained',
            checkpoint=similarity_extractor,
            source='mmwsis',
            made_by='python tools/train.py configs/exits/similarity-extractor_vit-b_voc.py',
        )
    ),
    loss_point=dict(loss_weight=0.05),
    retrieval=dict(delta=12),
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
    requires=['configs/exits/similarity-extractor_vit-b_voc.py'],
    produces='data/voc/pseudo_labels/exits.json',
)
