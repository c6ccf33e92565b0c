# A narrow ResNet-18 of stride 8, trained from scratch: nothing is frozen, batch norms
# learn.
_base_ = './cam_r50.py'

model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        strides=(1, 2, 1, 1),
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    head=dict(num_classes=6, in_channels=128),
    map_extractor=dict(stride=8),
)
