# Three groups of a narrow ResNet-18, stride 8, trained from scratch: nothing is frozen,
# batch norms learn. The fourth group would cost three times as much as the others together,
# and its cells would see the whole scene.
_base_ = './cam_r50.py'

model = dict(
    backbone=dict(
        depth=18,
        num_stages=3,
        base_channels=32,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2,),
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    head=dict(num_classes=6, in_channels=128),
    map_extractor=dict(stride=8),
)
