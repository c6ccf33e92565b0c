# LVIS v1. The images are COCO's: link train2017/ and val2017/ into data_root; their names
# come from coco_url, so img is empty. Paths are relative to data_root.
data_spec = dict(
    name='lvis',
    data_root='data/lvis_v1',
    classes=None,  # the dataset's own 1203: LVISV1Dataset's metainfo, the file's categories
    train=dict(
        ann_file='annotations/lvis_v1_train.json',
        img='',
        weak=dict(
            boxes='weak/boxes_lvis_v1_train.json',
            extreme_points='weak/extreme_points_lvis_v1_train.json',
        ),
    ),
    val=dict(ann_file='annotations/lvis_v1_val.json', img=''),
    image_scale=None,
)
