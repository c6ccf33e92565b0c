# IRNet: ResNet-50 of stride 16 with ImageNet weights, not the classifier's, frozen, and
# two heads of 1x1 convolutions.
model = dict(
    type='mmwsis.IRNet',
    data_preprocessor=dict(
        type='mmwsis.WholeImagePreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(
        type='mmwsis.StemLevelResNet',
        depth=50,
        style='pytorch',
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 1),
        out_indices=(0, 1, 2, 3),
        frozen_stages=4,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            # torchvision's IMAGENET1K_V1; by its address, so that torchvision is not needed.
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
        ),
    ),
    boundary_head=dict(
        type='mmwsis.BoundaryHead',
        in_channels=(64, 256, 512, 1024, 2048),
        strides=(4, 4, 8, 16, 16),
        feat_channels=32,
        num_groups=4,
    ),
    displacement_head=dict(
        type='mmwsis.DisplacementHead',
        in_channels=(64, 256, 512, 1024, 2048),
        strides=(4, 4, 8, 16, 16),
        feat_channels=(64, 128, 256, 256, 256),
        num_groups=(8, 16, 16, 16, 16),
    ),
    loss=dict(type='mmwsis.InterPixelRelationLoss', num_classes=20, radius=10),
    test_cfg=dict(
        min_size=512,
        size_divisor=16,
        walk_radius=5,
        beta=10.0,
        num_steps=256,
        num_updates=300,
        weak_threshold=2.5,
        instance_threshold=0.25,
        semantic_threshold=0.25,
        min_area=0.01,
    ),
)
