_base_ = [
    '../_base_/models/similarity_extractor_vit-b.py',
    '../_base_/object_crops/lvis.py',
    '../_base_/schedules/labeler_10e.py',
    '../_base_/default_runtime.py',
]

wsis = dict(
    method='EXITS',
    stage='similarity_extractor',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/lvis_v1/weak/extreme_points_lvis_v1_train.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/lvis_v1/annotations/lvis_v1_train.json '
            '--level extreme_points --out-dir data/lvis_v1/weak',
        ),
    ],
    produces='work_dirs/similarity-extractor_vit-b_lvis/epoch_10.pth',
)
