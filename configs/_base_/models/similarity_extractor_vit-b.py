# Stage 1a of EXITS: the network of MAL with the standard patch embedding, trained with
# the MIL loss alone. No teacher, no CRF.
model = dict(
    type='mmwsis.MaskAutoLabeler',
    data_preprocessor=dict(
        type='mmwsis.ObjectCropPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    network=dict(
        type='mmwsis.MaskLabelNetwork',
        encoder=dict(
            type='mmwsis.LabelerViT',
            patch_embed_type='linear',
            img_size=(
                224,
                224,
            ),  # of the weights; crops of 512 resize the position table
            patch_size=16,
            embed_dims=768,
            num_layers=12,
            num_heads=12,
            mlp_ratio=4,
            init_cfg=dict(
                type='mmwsis.EncoderPretrained',
                checkpoint='https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth',
                source='mae',
            ),
        ),
        mask_head=dict(
            type='mmwsis.ScaleAwareMaskHead',
            in_channels=768,
            feat_channels=256,
            num_convs=4,
            upsample_before=3,
            area_bins=(32**2, 96**2),  # box area in pixels of the original image
            scales=(0.5, 1.0, 2.0),
            logit_scale=4,
        ),
    ),
    loss_mil=dict(type='mmwsis.ProjectionMILLoss', loss_weight=4.0),
    # MAL: of the first epoch only; from the second on every weight is full.
    mil_ramp=dict(iters=1000, first_epoch_only=True),
    test_cfg=dict(
        weights='student',
        flip=False,
        mask_thr=(0.1, 0.1, 0.1),
        area_bins=(32**2, 96**2),
    ),
)
