# Mask R-CNN R-18 from scratch; size and recipe as in solov2_r18_synthetic.py.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/datasets/synthetic_instance.py',
    '../_base_/schedules/final_model_small.py',
]

model = dict(
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
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=150),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=150)),
)
