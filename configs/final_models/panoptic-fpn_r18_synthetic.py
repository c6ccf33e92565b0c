# Panoptic FPN R-18 from scratch; size as in mask-rcnn_r18_synthetic.py, and for a pipeline of
# many networks a quarter of its training.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/datasets/synthetic_panoptic.py',
    '../_base_/schedules/final_model_small.py',
]

model = dict(
    type='PanopticFPN',
    data_preprocessor=dict(pad_seg=True, seg_pad_value=255),
    backbone=dict(
        depth=18,
        base_channels=32,
        # From scratch: nothing is frozen, and batch statistics are learned.
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        # Anchors of 16, 32, 64, 128 and 256 pixels of the enlarged image.
        anchor_generator=dict(scales=[4]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64, finest_scale=42),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=6),
        mask_roi_extractor=dict(out_channels=64, finest_scale=42),
        mask_head=dict(
            num_convs=2, in_channels=64, conv_out_channels=64, num_classes=6
        ),
    ),
    semantic_head=dict(
        type='PanopticFPNHead',
        num_things_classes=6,
        num_stuff_classes=3,
        in_channels=64,
        inner_channels=64,
        start_level=0,
        end_level=4,
        norm_cfg=dict(type='GN', num_groups=32, requires_grad=True),
        conv_cfg=None,
        loss_seg=dict(type='CrossEntropyLoss', ignore_index=255, loss_weight=0.5),
    ),
    panoptic_fusion_head=dict(
        type='HeuristicFusionHead', num_things_classes=6, num_stuff_classes=3
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
        panoptic=dict(mask_overlap=0.5, stuff_area_limit=64),
    ),
)
train_dataloader = dict(batch_size=4, sampler=dict(type='InfiniteSampler'))

max_iters = 400
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
_base_.param_scheduler[1].end = max_iters
param_scheduler = _base_.param_scheduler
auto_scale_lr = dict(base_batch_size=4)
