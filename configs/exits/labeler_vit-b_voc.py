_base_ = [
    '../_base_/models/exits_vit-b.py',
    '../_base_/object_crops/voc.py',
    '../_base_/schedules/labeler_80e.py',
    '../_base_/labeler_runtime.py',
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

# The points retrieved for a few crops, as pictures and in TensorBoard.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.RetrievalVisualizationHook', interval=1000),
]

wsis = dict(
    method='EXITS',
    stage='labeler',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/voc/weak/extreme_points_train_aug.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/voc/annotations/instances_train_aug.json '
            '--level extreme_points --out-dir data/voc/weak',
        ),
        dict(
            path=similarity_extractor,
            command='python tools/train.py configs/exits/similarity-extractor_vit-b_voc.py',
        ),
    ],
    produces='data/voc/pseudo_labels/exits.json',
)
