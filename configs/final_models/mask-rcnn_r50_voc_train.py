# The same on the 1,464 images without SBD (WISE).
_base_ = './mask-rcnn_r50_voc.py'

data_spec = dict(
    name='voc_train',
    train=dict(
        ann_file='annotations/instances_train.json',
        weak=dict(
            image_tags='weak/image_tags_train.json',
            points='weak/points_train.json',
            boxes='weak/boxes_train.json',
            extreme_points='weak/extreme_points_train.json',
        ),
    ),
)
train_dataloader = dict(dataset=dict(ann_file=data_spec['train']['ann_file']))
