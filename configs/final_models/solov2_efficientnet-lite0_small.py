# SOLOv2 on an ImageNet-pretrained EfficientNet-Lite0, for a few hundred photographs of at
# most 320 pixels: minutes on two CPU cores. All of the model but the backbone stands here,
# because MMDetection has none of SOLOv2 without its loaders and schedule.
_base_ = [
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small_instance.py',
    '../_base_/schedules/final_model_pretrained.py',
]

model = dict(
    _scope_='mmdet',  # the types below are MMDetection's, whoever inherits this
    type='SOLOv2',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        **_base_.pixel_norm,
        pad_mask=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        # The layers of strides 2 and 4 would cost most and change least.
        frozen_stages=2,
        **_base_.backbone,
    ),
    neck=dict(
        type='FPN',
        in_channels=[24, 40, 112, 320],
        out_channels=64,
        start_level=0,
        num_outs=5,
    ),
    mask_head=dict(
        type='SOLOV2Head',
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        strides=[8, 8, 16, 32, 32],
        # sqrt(w * h) in pixels of an image of `image_scale`.
        scale_ranges=((1, 48), (24, 96), (48, 192), (96, 384), (192, 1024)),
        pos_scale=0.2,
        num_grids=[32, 24, 16, 12, 8],
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
