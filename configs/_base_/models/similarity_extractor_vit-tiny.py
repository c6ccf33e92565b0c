# Small network for crops of 128 pixels: patches of 8, a 16 x 16 grid. It starts from the
# masked autoencoder that mae_vit-tiny trains on the same images.
_base_ = './similarity_extractor_vit-b.py'

model = dict(
    # Grey levels. Crops of dark images are stretched; hardly any photographs are.
    data_preprocessor=dict(min_contrast=30),
    network=dict(
        encoder=dict(
            img_size=(128, 128),
            patch_size=8,
            embed_dims=96,
            num_layers=4,
            num_heads=4,
            init_cfg=dict(source='mmwsis'),
        ),
        mask_head=dict(
            in_channels=96,
            feat_channels=64,
            # A quarter of the paper's sides: the images are a quarter as large.
            area_bins=(8**2, 24**2),
        ),
    ),
    # Models this small are not as sure of themselves as the paper's, which take 0.1. Crops
    # of few pixels are enlarged, and their masks end in a wide slope.
    test_cfg=dict(mask_thr=(0.2, 0.2, 0.5), area_bins=(8**2, 24**2)),
)
