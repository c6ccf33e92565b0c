# A few hundred photographs for an instance segmentation model of MMDetection.
_base_ = ['mmdet::_base_/datasets/coco_instance.py', '../../data_specs/small.py']

metainfo = dict(classes=_base_.data_spec.classes)
data_root = 'data/small/'
# The longer side of an image becomes this long; two cores have no time for more.
image_scale = (320, 320)
train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='RandomChoiceResize',
        scales=[(224, 224), (256, 256), (288, 288), image_scale],
        keep_ratio=True,
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=image_scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
train_dataloader = dict(
    batch_size=8,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(
        metainfo=metainfo,
        data_root=data_root,
        ann_file=_base_.data_spec.train.ann_file,
        data_prefix=dict(img=_base_.data_spec.train.img),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        metainfo=metainfo,
        data_root=data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + _base_.data_spec.val.ann_file)
test_evaluator = val_evaluator
