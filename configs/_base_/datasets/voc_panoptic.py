# PASCAL VOC 2012, panoptic: the 20 classes as things, background as the one class of
# stuff (weak panoptic), as voc2coco.py --panoptic writes them, for
# mmdet.CocoPanopticDataset: docs/datasets/voc.md. Paths are relative to data_root.
_base_ = './voc.py'

data_spec = dict(
    name='voc_panoptic',
    stuff_classes=('background',),
    palette=[*_base_.data_spec.palette, (0, 0, 0)],
    train=dict(
        ann_file=None,  # all labels come from the panoptic file
        panoptic=dict(
            ann_file='annotations/panoptic_train_aug.json',
            seg='annotations/panoptic_train_aug/',
        ),
        weak=dict(
            image_tags='weak/image_tags_panoptic_train_aug.json',
            points='weak/points_panoptic_train_aug.json',
            boxes='weak/boxes_panoptic_train_aug.json',
            extreme_points='weak/extreme_points_panoptic_train_aug.json',
        ),
    ),
    val=dict(
        panoptic=dict(
            ann_file='annotations/panoptic_val.json',
            seg='annotations/panoptic_val/',
        ),
    ),
)
data_root = 'data/voc/'
metainfo = dict(
    classes=(*_base_.data_spec.classes, *data_spec['stuff_classes']),
    thing_classes=_base_.data_spec.classes,
    stuff_classes=data_spec['stuff_classes'],
    palette=data_spec['palette'],
)

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
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type='CocoPanopticDataset',
        data_root=data_root,
        metainfo=metainfo,
        ann_file=data_spec['train']['panoptic']['ann_file'],
        data_prefix=dict(
            img=_base_.data_spec.train.img, seg=data_spec['train']['panoptic']['seg']
        ),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoPanopticDataset',
        data_root=data_root,
        metainfo=metainfo,
        ann_file=data_spec['val']['panoptic']['ann_file'],
        data_prefix=dict(
            img=_base_.data_spec.val.img, seg=data_spec['val']['panoptic']['seg']
        ),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='mmwsis.PanopticQualityMetric',
    ann_file=data_root + data_spec['val']['panoptic']['ann_file'],
    seg_prefix=data_root + data_spec['val']['panoptic']['seg'],
)
test_evaluator = val_evaluator
