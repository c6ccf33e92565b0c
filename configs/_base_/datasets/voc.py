# PASCAL VOC 2012 with the SBD masks (train_aug, 10,582 images), instances as COCO JSON.
# Paths are relative to data_root.
data_spec = dict(
    name='voc',
    data_root='data/voc',
    classes=(
        'aeroplane',
        'bicycle',
        'bird',
        'boat',
        'bottle',
        'bus',
        'car',
        'cat',
        'chair',
        'cow',
        'diningtable',
        'dog',
        'horse',
        'motorbike',
        'person',
        'pottedplant',
        'sheep',
        'sofa',
        'train',
        'tvmonitor',
    ),
    train=dict(
        ann_file='annotations/instances_train_aug.json',
        img='JPEGImages/',
        weak=dict(
            boxes='weak/boxes_train_aug.json',
            extreme_points='weak/extreme_points_train_aug.json',
        ),
    ),
    val=dict(ann_file='annotations/instances_val.json', img='JPEGImages/'),
    image_scale=None,
)
