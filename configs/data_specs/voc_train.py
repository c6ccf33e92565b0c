# PASCAL VOC 2012 without SBD: the 1,464 images of the segmentation train set (WISE).
_base_ = './voc.py'

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
