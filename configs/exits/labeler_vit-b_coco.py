_base_ = [
    '../_base_/models/exits_vit-b.py',
    '../_base_/object_crops/coco.py',
    '../_base_/schedules/labeler_10e.py',
    '../_base_/labeler_runtime.py',
]

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
            path='data/coco/weak/extreme_points_train2017.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/coco/annotations/instances_train2017.json '
            '--level extreme_points --out-dir data/coco/weak',
        ),
        dict(
            path=similarity_extractor,
            command='python tools/train.py configs/exits/similarity-extractor_vit-b_coco.py',
        ),
    ],
    produces='data/coco/pseudo_labels/exits.json',
)
