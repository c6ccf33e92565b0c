# COCO 2017, panoptic: 80 things and 53 stuff classes, for mmdet.CocoPanopticDataset.
# Weak labels come from the panoptic file: boxes of the things, tags of things and stuff
# (weak panoptic): docs/datasets/coco.md. Paths are relative to data_root.
_base_ = './panoptic_loaders.py'

data_spec = dict(
    name='coco_panoptic',
    data_root='data/coco',
    classes=None,  # the dataset's own: CocoPanopticDataset's metainfo
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
data_root = 'data/coco/'

train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file=data_spec['train']['panoptic']['ann_file'],
        data_prefix=dict(
            img=data_spec['train']['img'], seg=data_spec['train']['panoptic']['seg']
        ),
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file=data_spec['val']['panoptic']['ann_file'],
        data_prefix=dict(
            img=data_spec['val']['img'], seg=data_spec['val']['panoptic']['seg']
        ),
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file=data_root + data_spec['val']['panoptic']['ann_file'],
    seg_prefix=data_root + data_spec['val']['panoptic']['seg'],
)
test_evaluator = val_evaluator
