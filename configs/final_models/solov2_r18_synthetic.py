# SOLOv2 R-18 of half the width, from scratch on scenes of 128x128 enlarged to 192x192:
# minutes on two CPU cores. The strides of the network ask for the larger image, the
# number of scenes for no wider network. All of the model stands here, because
# MMDetection has none of SOLOv2 without its loaders and schedule.
_base_ = [
    '../_base_/datasets/synthetic_instance.py',
    '../_base_/schedules/final_model_small.py',
]

model = dict(
    _scope_='mmdet',  # the types below are MMDetection's, whoever inherits this
    type='SOLOv2',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=32,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        # From scratch: nothing is frozen, and batch statistics are learned.
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
        style='pytorch',
    ),
    neck=dict(
        type='FPN',
        in_channels=[32, 64, 128, 256],
        out_channels=64,
        start_level=0,
        num_outs=4,
    ),
    mask_head=dict(
        type='SOLOV2Head',
        num_classes=6,
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        strides=[1, 2, 4, 8],
        # sqrt(w * h) in pixels of the enlarged image (`image_scale`).
        scale_ranges=((1, 42), (27, 72), (48, 120), (96, 768)),
        pos_scale=0.5,  # more cells per object: there are few iterations
        num_grids=[20, 16, 12, 8],
        cls_down_index=0,
        mask_feature_head=dict(
            feat_channels=64,
            start_level=0,
            end_level=3,
            out_channels=64,
            mask_stride=4,
            norm_cfg=dict(type='GN', num_groups=16, requires_grad=True),
        ),
        loss_mask=dict(type='DiceLoss', use_sigmoid=True, loss_weight=3.0),
        loss_cls=dict(
            type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0
        ),
    ),
    test_cfg=dict(
        nms_pre=500,
        score_thr=0.1,
        mask_thr=0.5,
        filter_thr=0.05,
        kernel='gaussian',
        sigma=2.0,
        max_per_img=100,
    ),
)
val_evaluator = dict(metric='segm')
test_evaluator = val_evaluator
