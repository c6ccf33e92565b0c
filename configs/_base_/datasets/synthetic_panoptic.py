# The synthetic scenes, panoptic: 6 things and 3 stuff classes. Weak labels come from the
# panoptic file: boxes of the things, tags of things and stuff (weak panoptic).
# Paths are relative to data_root.
_base_ = ['./panoptic_loaders.py', '../../data_specs/synthetic.py']

data_spec = dict(
    name='synthetic_panoptic',
    stuff_classes=('sky', 'grass', 'sand'),
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
data_root = 'data/synthetic/'
metainfo = dict(
    classes=(*_base_.data_spec.classes, *data_spec['stuff_classes']),
    thing_classes=_base_.data_spec.classes,
    stuff_classes=data_spec['stuff_classes'],
)

train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='Resize', scale=(192, 192), keep_ratio=True),
    *_base_.train_pipeline[3:],
]
test_pipeline = [
    _base_.test_pipeline[0],
    dict(type='Resize', scale=(192, 192), keep_ratio=True),
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(
    batch_size=8,
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
    ann_file=data_spec['train']['weak']['boxes'],
    data_prefix=dict(img=_base_.data_spec.train.img),
)
