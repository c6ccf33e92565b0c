# Faster R-CNN R-101 on the weak boxes of PASCAL VOC (train_aug). MMDetection's 1x schedule: the paper
# gives none.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/voc_panoptic.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
    '../_base_/final_model_runtime.py',
]

model = dict(
    backbone=dict(
        depth=101,
        init_cfg=dict(
            # torchvision's IMAGENET1K_V1; by its address: torchvision is not needed.
            checkpoint='https://download.pytorch.org/models/resnet101-63fe2227.pth',
        ),
    ),
    roi_head=dict(bbox_head=dict(num_classes=20)),
    test_cfg=dict(
        # The networks that read the detections choose by score.
        rcnn=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100),
    ),
)

resize = dict(type='Resize', scale=(1333, 800), keep_ratio=True)
things = dict(classes=_base_.data_spec.classes)
weak_boxes = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='boxes',
    **{**_base_.train_boxes, 'metainfo': things},
)
train_dataloader = dict(
    _delete_=True,
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        **weak_boxes,
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            resize,
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ],
    ),
)
val_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=4,
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
    num_workers=4,
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
    produces='data/voc/pseudo_labels/detections_train.json',
)
