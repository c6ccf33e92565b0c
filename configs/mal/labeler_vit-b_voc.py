_base_ = [
    '../_base_/models/mal_vit-b.py',
    '../_base_/object_crops/voc.py',
    '../_base_/schedules/labeler_80e.py',
    '../_base_/labeler_runtime.py',
]

train_dataloader = dict(
    dataset=dict(supervision='boxes', ann_file=_base_.data_spec.train.weak.boxes)
)
pseudo_label_dataloader = dict(
    dataset=dict(supervision='boxes', ann_file=_base_.data_spec.train.weak.boxes)
)

# configs/exits has a file of this name.
work_dir = 'work_dirs/mal/labeler_vit-b_voc'

wsis = dict(
    method='MAL',
    stage='labeler',
    supervision='boxes',
    requires=[
        dict(
            path='data/voc/weak/boxes_train_aug.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/voc/annotations/instances_train_aug.json '
            '--level boxes --out-dir data/voc/weak',
        ),
    ],
    produces='data/voc/pseudo_labels/mal.json',
)
