# COCO 2017, panoptic: 80 things and 53 stuff classes, for mmdet.CocoPanopticDataset.
# Weak labels come from the panoptic file: boxes of the things, tags of things and stuff
# (weak panoptic): docs/datasets/coco.md. Paths are relative to data_root.
_base_ = 'mmdet::_base_/datasets/coco_panoptic.py'

data_spec = dict(
    name='coco_panoptic',
    data_root='data/coco',
    classes=None,  # the data set's own: CocoPanopticDataset's metainfo
    stuff_classes=None,  # the same
    train=dict(
        ann_file=None,  # all labels come from the panoptic file
        img='train2017/',
        panoptic=dict(
            ann_file='annotations/panoptic_train2017.json',
            seg='annotations/panoptic_train2017/',
        ),
        weak=dict(
            image_tags='weak/image_tags_panoptic_train2017.json',
            points='weak/points_panoptic_train2017.json',
            boxes='weak/boxes_panoptic_train2017.json',
            extreme_points='weak/extreme_points_panoptic_train2017.json',
        ),
    ),
    val=dict(
        ann_file='annotations/instances_val2017.json',
        img='val2017/',
        panoptic=dict(
            ann_file='annotations/panoptic_val2017.json',
            seg='annotations/panoptic_val2017/',
        ),
    ),
    image_scale=None,
)

# MMDetection's loaders, and PQ by the official rules, without the package panopticapi.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmwsis.LoadPanopticAnnotations'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmwsis.LoadPanopticAnnotations'),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='mmwsis.PanopticQualityMetric',
    ann_file='data/coco/annotations/panoptic_val2017.json',
    seg_prefix='data/coco/annotations/panoptic_val2017/',
)
test_evaluator = val_evaluator
