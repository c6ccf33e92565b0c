_base_ = [
    '../_base_/models/mal_vit-b.py',
    '../_base_/object_crops/lvis.py',
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
work_dir = 'work_dirs/mal/labeler_vit-b_lvis'

wsis = dict(
    method='MAL',
    stage='labeler',
    supervision='boxes',
    requires=[
        dict(
            path='data/lvis_v1/weak/boxes_lvis_v1_train.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/lvis_v1/annotations/lvis_v1_train.json '
            '--level boxes --out-dir data/lvis_v1/weak',
        ),
    ],
    produces='data/lvis_v1/pseudo_labels/mal.json',
)
