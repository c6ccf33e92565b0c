# PSPNet on ResNet-101 of stride 8 with ImageNet weights, all batch norms in evaluation
# mode, and the instance sub-network. Without it (instance_head=None) this is the semantic
# network, which is trained first.
norm_cfg = dict(type='BN', requires_grad=True)
loss_decode = dict(
    type='mmseg.CrossEntropyLoss',
    use_sigmoid=False,
    avg_non_ignore=True,
    loss_weight=1.0,
)
model = dict(
    type='mmwsis.WeakPanoptic',
    num_things_classes=20,
    num_stuff_classes=1,
    data_preprocessor=dict(
        type='mmwsis.WeakDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_seg=True,
        seg_pad_value=255,
    ),
    backbone=dict(
        type='mmseg.ResNetV1c',
        depth=101,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        norm_cfg=norm_cfg,
        norm_eval=True,
        style='pytorch',
        contract_dilation=True,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet101_v1c'),
    ),
    decode_head=dict(
        type='mmseg.PSPHead',
        in_channels=2048,
        in_index=3,
        channels=512,
        pool_scales=(1, 2, 3, 6),
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=loss_decode,
    ),
    auxiliary_head=dict(
        type='mmseg.FCNHead',
        in_channels=1024,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(loss_decode, loss_weight=0.4),
    ),
    instance_head=dict(
        type='mmwsis.InstanceCRFHead',
        num_things_classes=20,
        num_stuff_classes=1,
        box_weight=1.0,  # w1, learned as the other weights
        global_weight=1.0,  # w2
        position=dict(weight=3.0, sxy=3),
        colour=dict(weight=5.0, sxy=60, srgb=10),
        eps=1e-8,
        num_iters=5,
        recompute=True,  # less memory
    ),
    loss_instance=dict(type='mmwsis.MatchedSegmentLoss', loss_weight=1.0),
    semantic_weight=1.0,  # of the heads' losses beside loss_instance
    norm_eval=True,
    test_cfg=dict(
        thing_score='det',  # or 'mean_conf', 'oracle'
        stuff_score='mean_conf',
        num_iters=10,
        # And `refinement`, settings of LabelRefinement for the labels of the next round.
    ),
)
