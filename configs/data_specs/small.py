# Stands for a few hundred photographs of yours: `--dataset FILE` replaces it
# (docs/custom_dataset.md). Paths are relative to data_root.
data_spec = dict(
    name='small',
    data_root='data/small',
    classes=('object',),
    train=dict(
        ann_file='annotations/instances_train.json',
        img='train/',
        weak=dict(
            image_tags='weak/image_tags_train.json',
            points='weak/points_train.json',
            boxes='weak/boxes_train.json',
            extreme_points='weak/extreme_points_train.json',
        ),
    ),
    val=dict(ann_file='annotations/instances_val.json', img='val/'),
    image_scale=None,
)
