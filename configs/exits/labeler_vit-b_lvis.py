_base_ = [
    '../_base_/models/exits_vit-b.py',
    '../_base_/object_crops/lvis.py',
    '../_base_/schedules/labeler_10e.py',
    '../_base_/labeler_runtime.py',
]

similarity_extractor = 'work_dirs/similarity-extractor_vit-b_lvis/epoch_10.pth'
model = dict(
    similarity_extractor=dict(
        init_cfg=dict(
            type='mmwsis.EncoderPretrained',
            checkpoint=similarity_extractor,
            source='mmwsis',
            made_by='python tools/train.py configs/exits/similarity-extractor_vit-b_lvis.py',
        )
    ),
    retrieval=dict(delta=16),
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
            path='data/lvis_v1/weak/extreme_points_lvis_v1_train.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/lvis_v1/annotations/lvis_v1_train.json '
            '--level extreme_points --out-dir data/lvis_v1/weak',
        ),
        dict(
            path=similarity_extractor,
            command='python tools/train.py configs/exits/similarity-extractor_vit-b_lvis.py',
        ),
    ],
    produces='data/lvis_v1/pseudo_labels/exits.json',
)
