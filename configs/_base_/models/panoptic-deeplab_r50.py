# ResNet-50 with ImageNet weights and the two decoders of Panoptic-DeepLab, for BESTIE:
# 55,324,411 parameters for 20 classes. A config that has another network says
#   model = dict(**_base_.panoptic_deeplab)
panoptic_deeplab = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        style='pytorch',
        strides=(1, 2, 2, 2),
        dilations=(1, 1, 1, 1),
        out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='BN', momentum=0.01, requires_grad=True),
        norm_eval=False,
        init_cfg=dict(
            type='Pretrained',
            # torchvision's IMAGENET1K_V1; by its address, so that torchvision is not needed.
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
        ),
    ),
    neck=dict(
        type='mmwsis.PanopticDeepLabDecoders',
        in_channels=(256, 512, 1024, 2048),
        semantic=dict(channels=256, low_channels=(32, 64, 128)),
        instance=dict(channels=128, low_channels=(16, 32, 64)),
        aspp_channels=256,
        dilations=(3, 6, 9),
        dropout=0.5,
        kernel_size=5,
        align_corners=True,
        norm_cfg=dict(type='BN', momentum=0.01, requires_grad=True),
        init_std=0.001,
    ),
    # The semantic decoder's features are the first, the instance decoder's the second.
    seg_head=dict(
        in_index=0,
        in_channels=256,
        feat_channels=256,
        kernel_size=5,
        separable=True,
        norm_cfg=dict(type='BN', momentum=0.01, requires_grad=True),
        init_bias=None,
    ),
    center_head=dict(
        in_index=1,
        in_channels=128,
        feat_channels=128,
        kernel_size=5,
        separable=True,
        norm_cfg=dict(type='BN', momentum=0.01, requires_grad=True),
        init_bias=None,
    ),
    offset_head=dict(
        in_index=1,
        in_channels=128,
        feat_channels=32,
        kernel_size=5,
        separable=True,
        norm_cfg=dict(type='BN', momentum=0.01, requires_grad=True),
        init_bias=None,
    ),
    align_corners=True,
)
