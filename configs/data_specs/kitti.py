# KITTI: cars, with a point or a box each in the 3,712 images of the object detection
# training list (WISE), measured on KITTI's instance maps: docs/datasets/kitti.md.
# Paths are relative to data_root.
data_spec = dict(
    name='kitti',
    data_root='data/kitti',
    classes=('car',),
    palette=[(0, 0, 142)],
    train=dict(
        ann_file=None,  # KITTI's training images have no masks
        img='object/training/image_2/',
        weak=dict(points='weak/points_train.json', boxes='weak/boxes_train.json'),
        weak_command='python tools/dataset_converters/kitti2coco.py boxes '
        'data/kitti/object --list data/kitti/object/ImageSets/train.txt '
        '--out-dir data/kitti/weak',
    ),
    val=dict(
        ann_file='annotations/instances_val.json',
        img='semantics/training/image_2/',
    ),
    image_scale=None,
)
