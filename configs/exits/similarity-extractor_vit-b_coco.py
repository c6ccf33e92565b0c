_base_ = [
    '../_base_/models/similarity_extractor_vit-b.py',
    '../_base_/object_crops/coco.py',
    '../_base_/schedules/labeler_1e.py',
    '../_base_/default_runtime.py',
]

wsis = dict(
    method='EXITS',
    stage='similarity_extractor',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/coco/weak/extreme_points_train2017.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/coco/annotations/instances_train2017.json '
            '--level extreme_points --out-dir data/coco/weak',
        ),
    ],
    produces='work_dirs/similarity-extractor_vit-b_coco/epoch_1.pth',
)
