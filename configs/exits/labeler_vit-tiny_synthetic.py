_base_ = [
    '../_base_/models/exits_vit-tiny.py',
    '../_base_/object_crops/synthetic.py',
    '../_base_/schedules/labeler_small.py',
    '../_base_/small_labeler_runtime.py',
]

mae = 'work_dirs/mae_vit-tiny_synthetic/iter_800.pth'
similarity_extractor = 'work_dirs/similarity-extractor_vit-tiny_synthetic/iter_250.pth'
model = dict(
    network=dict(
        encoder=dict(
            init_cfg=dict(
                checkpoint=mae,
                made_by='python tools/train.py configs/exits/mae_vit-tiny_synthetic.py',
            )
        )
    ),
    similarity_extractor=dict(
        init_cfg=dict(
            type='mmwsis.EncoderPretrained',
            checkpoint=similarity_extractor,
            source='mmwsis',
            made_by='python tools/train.py '
            'configs/exits/similarity-extractor_vit-tiny_synthetic.py',
        )
    ),
)

# The points retrieved for a few crops, as pictures and in TensorBoard.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.RetrievalVisualizationHook', interval=250),
]

wsis = dict(
    method='EXITS',
    stage='labeler',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/synthetic/weak/extreme_points_train.json',
            command='python tools/dataset_converters/make_synthetic.py --out data/synthetic',
        ),
        dict(
            path=mae,
            command='python tools/train.py configs/exits/mae_vit-tiny_synthetic.py',
        ),
        dict(
            path=similarity_extractor,
            command='python tools/train.py '
            'configs/exits/similarity-extractor_vit-tiny_synthetic.py',
        ),
    ],
    produces='data/synthetic/pseudo_labels/exits.json',
)
