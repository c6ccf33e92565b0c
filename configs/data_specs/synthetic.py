# Scenes that tools/dataset_converters/make_synthetic.py draws, 128x128 pixels.
# Paths are relative to data_root.
data_spec = dict(
    name='synthetic',
    data_root='data/synthetic',
    classes=('disc', 'ring', 'square', 'triangle', 'star', 'bar'),
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
    # Datasets with a generator are drawn by the pipelines; others lack this key.
    generator='tools/dataset_converters/make_synthetic.py',
)
