_base_ = [
    '../_base_/models/mal_vit-b.py',
    '../_base_/object_crops/coco.py',
    '../_base_/schedules/labeler_10e.py',
    '../_base_/labeler_runtime.py',
]

train_dataloader = dict(
    dataset=dict(supervision='boxes', ann_file=_base_.data_spec.train.weak.boxes)
)
pseudo_label_dataloader = dict(
    dataset=dict(supervision='boxes', ann_file=_base_.data_spec.train.weak.boxes)
)

# configs/exits has a file of this name.
work_dir = 'work_dirs/mal/labeler_vit-b_coco'

wsis = dict(
    method='MAL',
    stage='labeler',
    supervision='boxes',
    requires=[
        dict(
            path='data/coco/weak/boxes_train2017.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/coco/annotations/instances_train2017.json '
            '--level boxes --out-dir data/coco/weak',
        ),
    ],
    produces='data/coco/pseudo_labels/mal.json',
)
