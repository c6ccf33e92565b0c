# Cityscapes, panoptic: what cityscapes2coco.py --panoptic writes, for
# mmdet.CocoPanopticDataset. Labels count things before stuff, as MMDetection's panoptic
# heads do. Paths are relative to data_root.
_base_ = ['./panoptic_loaders.py', '../../data_specs/cityscapes.py']

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
    *_base_.train_pipeline[:2],
    dict(type='RandomResize', scale=[(2048, 800), (2048, 1024)], keep_ratio=True),
    *_base_.train_pipeline[3:],
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='Resize', scale=(2048, 1024), keep_ratio=True),
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file=data_spec['train']['panoptic']['ann_file'],
        data_prefix=dict(
            img=_base_.data_spec.train.img, seg=data_spec['train']['panoptic']['seg']
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file=data_spec['val']['panoptic']['ann_file'],
        data_prefix=dict(
            img=_base_.data_spec.val.img, seg=data_spec['val']['panoptic']['seg']
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# What metrics read.
val_panoptic = dict(
    ann_file=data_root + data_spec['val']['panoptic']['ann_file'],
    seg_prefix=data_root + data_spec['val']['panoptic']['seg'],
)
val_evaluator = val_panoptic
test_evaluator = val_evaluator
# The training images with the boxes of their things and their tags.
train_boxes = dict(
    metainfo=metainfo,
    data_root=data_root,
    ann_file=_base_.data_spec.train.weak.boxes,
    data_prefix=dict(img=_base_.data_spec.train.img),
)
