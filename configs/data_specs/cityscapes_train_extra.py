# Cityscapes' 19,998 coarsely annotated images (weak panoptic adds them to the fine ones),
# measured on the fine val set.
_base_ = './cityscapes.py'

data_spec = dict(
    name='cityscapes_train_extra',
    train=dict(
        ann_file='annotations/instances_gtCoarse_train_extra.json',
        img='leftImg8bit/train_extra/',
        weak=dict(
            image_tags='weak/image_tags_gtCoarse_train_extra.json',
            points='weak/points_gtCoarse_train_extra.json',
            boxes='weak/boxes_gtCoarse_train_extra.json',
            extreme_points='weak/extreme_points_gtCoarse_train_extra.json',
        ),
    ),
)
