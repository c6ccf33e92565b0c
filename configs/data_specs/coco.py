# COCO 2017, instances: boxes (MAL), extreme points (EXITS), points (BESTIE, WISE) and
# image tags (BESTIE). The 35k images that WISE and others add to 2014's train set are
# in train2017, so the sets are the same: docs/datasets/coco.md.
# Paths are relative to data_root.
data_spec = dict(
    name='coco',
    data_root='data/coco',
    classes=None,  # the dataset's own: CocoDataset's metainfo, the categories of the file
    train=dict(
        ann_file='annotations/instances_train2017.json',
        img='train2017/',
        weak=dict(
            image_tags='weak/image_tags_train2017.json',
            points='weak/points_train2017.json',
            boxes='weak/boxes_train2017.json',
            extreme_points='weak/extreme_points_train2017.json',
        ),
    ),
    val=dict(ann_file='annotations/instances_val2017.json', img='val2017/'),
    image_scale=None,
)
