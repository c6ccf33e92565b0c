# Masked autoencoder around the encoder of the small labelers.
model = dict(
    type='mmwsis.MAEPretrainer',
    data_preprocessor=dict(
        type='mmwsis.ObjectCropPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    encoder=dict(
        type='mmwsis.LabelerViT',
        patch_embed_type='linear',
        img_size=(128, 128),
        patch_size=8,
        embed_dims=96,
        num_layers=4,
        num_heads=4,
        mlp_ratio=4,
    ),
    decoder_dims=64,
    decoder_layers=2,
    decoder_heads=4,
    mask_ratio=0.75,
    norm_pixel_loss=True,
)
