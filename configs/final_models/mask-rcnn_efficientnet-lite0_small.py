# Mask R-CNN on an ImageNet-pretrained EfficientNet-Lite0; size and recipe as in
# solov2_efficientnet-lite0_small.py.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/models/efficientnet-lite0.py',
    '../_base_/datasets/small_instance.py',
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
        mask_roi_extractor=dict(out_channels=64, finest_scale=28),
        mask_head=dict(
            num_convs=3, in_channels=64, conv_out_channels=64, num_classes=1
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=150),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=150)),
)
