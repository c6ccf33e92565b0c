# Faster R-CNN on the weak boxes of a few hundred photographs, without a GPU; size and recipe
# as in final_models/mask-rcnn_efficientnet-lite0_small.py.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small_panoptic.py',
    '../_base_/schedules/final_model_pretrained.py',
]

model = dict(
    data_preprocessor=_base_.pixel_norm,
    backbone=dict(
        _delete_=True,
        # The layers of strides 2 and 4 would cost most and change least.
        frozen_stages=2,
        **_base_.backbone,
    ),
    neck=dict(in_channels=[24, 40, 112, 320], out_channels=64),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        # Anchors of 16, 32, 64, 128 and 256 pixels of the image.
        anchor_generator=dict(scales=[4]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64, finest_scale=28),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=1),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=150),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=500, max_per_img=150),
        # The networks that read the detections choose by score.
        rcnn=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
    ),
)

image_scale = (320, 320)  # the longer side becomes this long
resize = dict(type='Resize', scale=image_scale, keep_ratio=True)
things = dict(classes=_base_.data_spec.classes)
weak_boxes = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='boxes',
    **{**_base_.train_boxes, 'metainfo': things},
)
train_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        **weak_boxes,
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(
                type='RandomChoiceResize',
                scales=[(224, 224), (256, 256), (288, 288), image_scale],
                keep_ratio=True,
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ],
    ),
)
val_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='boxes',  # of a file with masks: they are not read
        metainfo=things,
        data_root=_base_.data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            resize,
            # To draw, in pixels of the original image, which is why nothing resizes them.
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='mmwsis.PackWeakInputs', with_tags=False),
        ],
    ),
)
test_dataloader = val_dataloader
# What tools/generate_pseudo_labels.py --artifact detections goes through.
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        **weak_boxes,
        test_mode=True,
        pipeline=val_dataloader['dataset']['pipeline'],
    ),
)
artifact = 'detections'
val_evaluator = dict(
    _delete_=True,
    type='mmwsis.CocoInstanceMetric',
    ann_file=_base_.data_root + _base_.data_spec.val.ann_file,
    metric='bbox',
)
test_evaluator = val_evaluator
del things, weak_boxes

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.TrainingSourcesHook'),
]

wsis = dict(
    method='Weak panoptic',
    stage='labeler',
    supervision='boxes',
    produces='data/small/pseudo_labels/detections_train.json',
)
