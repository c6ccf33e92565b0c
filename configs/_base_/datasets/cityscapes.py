# Cityscapes, finely annotated: the 8 classes with instances (WISE: points; weak panoptic:
# boxes, and image tags that name stuff, too): docs/datasets/cityscapes.md.
# Paths are relative to data_root.
data_spec = dict(
    name='cityscapes',
    data_root='data/cityscapes',
    classes=(
        'person',
        'rider',
        'car',
        'truck',
        'bus',
        'train',
        'motorcycle',
        'bicycle',
    ),
    train=dict(
        ann_file='annotations/instances_gtFine_train.json',
        img='leftImg8bit/train/',
        weak=dict(
            image_tags='weak/image_tags_gtFine_train.json',
            points='weak/points_gtFine_train.json',
            boxes='weak/boxes_gtFine_train.json',
            extreme_points='weak/extreme_points_gtFine_train.json',
        ),
    ),
    val=dict(
        ann_file='annotations/instances_gtFine_val.json',
        img='leftImg8bit/val/',
    ),
    image_scale=None,
)
