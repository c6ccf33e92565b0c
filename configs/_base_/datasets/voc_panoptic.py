# PASCAL VOC 2012, panoptic: the 20 classes as things, background as the one class of
# stuff (weak panoptic), as voc2coco.py --panoptic writes them, for
# mmdet.CocoPanopticDataset: docs/datasets/voc.md. Paths are relative to data_root.
_base_ = ['./panoptic_loaders.py', '../../data_specs/voc.py']

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
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file=data_spec['train']['panoptic']['ann_file'],
        data_prefix=dict(
            img=_base_.data_spec.train.img, seg=data_spec['train']['panoptic']['seg']
        ),
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
    ann_file=data_spec['train']['weak']['boxes'],
    data_prefix=dict(img=_base_.data_spec.train.img),
)
