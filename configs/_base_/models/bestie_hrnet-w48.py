# BESTIE on HRNet-48 with ImageNet weights: its finest level, of stride 4, and three small
# heads. 63,938,507 parameters for 20 classes.
model = dict(
    type='mmwsis.BESTIE',
    num_classes=20,
    data_preprocessor=dict(
        type='mmwsis.WeakDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='HRNet',
        extra=dict(
            stage1=dict(
                num_modules=1,
                num_branches=1,
                block='BOTTLENECK',
                num_blocks=(4,),
                num_channels=(64,),
            ),
            stage2=dict(
                num_modules=1,
                num_branches=2,
                block='BASIC',
                num_blocks=(4, 4),
                num_channels=(48, 96),
            ),
            stage3=dict(
                num_modules=4,
                num_branches=3,
                block='BASIC',
                num_blocks=(4, 4, 4),
                num_channels=(48, 96, 192),
            ),
            stage4=dict(
                num_modules=3,
                num_branches=4,
                block='BASIC',
                num_blocks=(4, 4, 4, 4),
                num_channels=(48, 96, 192, 384),
            ),
        ),
        multiscale_output=False,
        norm_cfg=dict(type='BN', momentum=0.1, requires_grad=True),
        norm_eval=False,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w48'),
    ),
    seg_head=dict(
        type='mmwsis.PixelHead',
        in_channels=48,
        feat_channels=256,
        kernel_size=3,
        init_std=0.001,
        init_bias=0.0,
    ),
    center_head=dict(
        type='mmwsis.PixelHead',
        in_channels=48,
        feat_channels=256,
        kernel_size=3,
        init_std=0.001,
        init_bias=0.0,
    ),
    offset_head=dict(
        type='mmwsis.PixelHead',
        in_channels=48,
        feat_channels=256,
        kernel_size=3,
        init_std=0.001,
        init_bias=0.0,
    ),
    align_corners=False,
    loss_seg=dict(type='mmwsis.HardPixelCrossEntropy', ratio=0.2, loss_weight=1.0),
    # Halves of these for the pseudo labels, halves for the refined ones.
    loss_center=dict(type='mmwsis.CenterLoss', loss_weight=200.0),
    loss_offset=dict(type='mmwsis.OffsetLoss', loss_weight=0.01),
    supervision='image_tags',
    class_agnostic=False,
    instance_guidance=True,
    sigma=6.0,
    refinement=dict(
        threshold=0.3, kernel_size=41, beta=3.0, min_area=50, max_instances=5
    ),
    test_cfg=dict(
        flip=True,
        threshold=0.1,
        kernel_size=41,
        beta=3.0,
        min_area=50,
        ignore=False,
        rescale_offset=False,
        network_size=False,
        # When the training images are labelled: classes of the tags alone, and with points
        # as supervision pixels are grouped to them.
        clean=True,
        point_guided=True,
    ),
)
