# Cityscapes, panoptic: what cityscapes2coco.py --panoptic writes, for
# mmdet.CocoPanopticDataset. Labels count things before stuff, as MMDetection's panoptic
# heads do. Paths are relative to data_root.
_base_ = './cityscapes.py'

data_spec = dict(
    name='cityscapes_panoptic',
    train=dict(
        panoptic=dict(
            ann_file='annotations/panoptic_gtFine_train.json',
            seg='annotations/panoptic_gtFine_train/',
        ),
    ),
    val=dict(
        panoptic=dict(
            ann_file='annotations/panoptic_gtFine_val.json',
            seg='annotations/panoptic_gtFine_val/',
        ),
    ),
)
data_root = 'data/cityscapes/'
metainfo = dict(
    classes=(*_base_.data_spec.classes, *_base_.data_spec.stuff_classes),
    thing_classes=_base_.data_spec.classes,
    stuff_classes=_base_.data_spec.stuff_classes,
    palette=_base_.data_spec.palette,
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmwsis.LoadPanopticAnnotations'),
    dict(type='RandomResize', scale=[(2048, 800), (2048, 1024)], keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
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
