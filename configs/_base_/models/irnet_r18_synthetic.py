# IRNet on the small classifier's backbone, of stride 8: the stem and three groups. There
# are no ImageNet weights for it, so it starts from the classifier's, the only ones learned
# from the tags of these scenes, and goes on learning with the heads: frozen, its features
# hardly tell one side of an object from the other, and displacements stay useless. It sees
# images of 128 pixels twice enlarged.
_base_ = './irnet_r50.py'

model = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        base_channels=32,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        frozen_stages=-1,
        norm_eval=False,
    ),
    freeze_backbone=False,
    boundary_head=dict(in_channels=(32, 32, 64, 128), strides=(4, 4, 8, 8)),
    displacement_head=dict(
        in_channels=(32, 32, 64, 128),
        strides=(4, 4, 8, 8),
        feat_channels=(32, 64, 128, 128),
        num_groups=(8, 16, 16, 16),
    ),
    loss=dict(num_classes=6),
    test_cfg=dict(
        min_size=256,
        # On a grid of 64 x 64 the paper's 256 steps mix the whole image.
        num_steps=16,
        beta=40.0,
        # Objects are small on it: with the paper's 2.5 cells the weak region of a star's
        # centre runs into the background between the points.
        weak_threshold=1.5,
    ),
)
