# Panoptic FPN on an ImageNet-pretrained EfficientNet-Lite0, for a few hundred photographs:
# mask-rcnn_efficientnet-lite0_small.py with a semantic head.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small_panoptic.py',
    '../_base_/schedules/final_model_pretrained.py',
]

model = dict(
    type='PanopticFPN',
    data_preprocessor=dict(**_base_.pixel_norm, pad_seg=True, seg_pad_value=255),
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
        mask_roi_extractor=dict(out_channels=64, finest_scale=28),
        mask_head=dict(
            num_convs=3, in_channels=64, conv_out_channels=64, num_classes=1
        ),
    ),
    semantic_head=dict(
        type='PanopticFPNHead',
        num_things_classes=1,
        num_stuff_classes=1,
        in_channels=64,
        inner_channels=64,
        start_level=0,
        end_level=4,
        norm_cfg=dict(type='GN', num_groups=32, requires_grad=True),
        conv_cfg=None,
        loss_seg=dict(type='CrossEntropyLoss', ignore_index=255, loss_weight=0.5),
    ),
    panoptic_fusion_head=dict(
        type='HeuristicFusionHead', num_things_classes=1, num_stuff_classes=1
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=150),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=500, max_per_img=150),
        rcnn=dict(
            score_thr=0.6,
            nms=dict(type='nms', iou_threshold=0.5, class_agnostic=True),
            max_per_img=100,
            mask_thr_binary=0.5,
        ),
        panoptic=dict(mask_overlap=0.5, stuff_area_limit=256),
    ),
)

# The longer side of an image becomes this long; two cores have no time for more.
image_scale = (320, 320)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = image_scale
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = image_scale
train_dataloader = dict(
    batch_size=8,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
