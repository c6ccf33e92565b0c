# IRNet on the small classifier's backbone, of stride 8. There are no ImageNet weights for
# it, so it takes the classifier's, the only ones learned from the tags of these scenes.
_base_ = './irnet_r50.py'

model = dict(
    backbone=dict(depth=18, base_channels=16, strides=(1, 2, 1, 1)),
    boundary_head=dict(in_channels=(16, 16, 32, 64, 128), strides=(4, 4, 8, 8, 8)),
    displacement_head=dict(
        in_channels=(16, 16, 32, 64, 128),
        strides=(4, 4, 8, 8, 8),
        feat_channels=(32, 64, 128, 128, 128),
    ),
    loss=dict(num_classes=6, radius=6),  # objects are about ten cells wide
    test_cfg=dict(min_size=128),
)
