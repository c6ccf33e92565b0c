# A few hundred photographs with boxes of things and tags of stuff, panoptic: the dataset that
# `--dataset FILE` replaces (docs/custom_dataset.md). Paths are relative to data_root.
_base_ = ['./panoptic_loaders.py', '../../data_specs/small.py']

data_spec = dict(
    name='small_panoptic',
    stuff_classes=('background',),
    train=dict(
        ann_file=None,  # all labels come from the panoptic file
        panoptic=dict(
            ann_file='annotations/panoptic_train.json',
            seg='annotations/panoptic_train/',
        ),
        weak=dict(
            image_tags='weak/image_tags_panoptic_train.json',
            points='weak/points_panoptic_train.json',
            boxes='weak/boxes_panoptic_train.json',
            extreme_points='weak/extreme_points_panoptic_train.json',
        ),
    ),
    val=dict(
        panoptic=dict(
            ann_file='annotations/panoptic_val.json',
            seg='annotations/panoptic_val/',
        ),
    ),
)
data_root = 'data/small/'
metainfo = dict(
    classes=(*_base_.data_spec.classes, *data_spec['stuff_classes']),
    thing_classes=_base_.data_spec.classes,
    stuff_classes=data_spec['stuff_classes'],
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
