_base_ = [
    '../_base_/models/similarity_extractor_vit-b.py',
    '../_base_/object_crops/voc.py',
    '../_base_/schedules/labeler_8e.py',
    '../_base_/default_runtime.py',
]

wsis = dict(
    method='EXITS',
    stage='similarity_extractor',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/voc/weak/extreme_points_train_aug.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/voc/annotations/instances_train_aug.json '
            '--level extreme_points --out-dir data/voc/weak',
        ),
    ],
    produces='work_dirs/similarity-extractor_vit-b_voc/epoch_8.pth',
)
