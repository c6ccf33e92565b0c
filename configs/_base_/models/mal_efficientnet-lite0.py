# MAL with an ImageNet backbone in the place of the ViT (a variant of ours): its levels are
# fused on a grid of patches of 8 pixels.
_base_ = ['./mal_vit-tiny.py', './efficientnet-lite0.py']

model = dict(
    data_preprocessor=dict(mean=_base_.pixel_norm.mean, std=_base_.pixel_norm.std),
    network=dict(
        encoder=dict(
            _delete_=True,
            type='mmwsis.BackboneEncoder',
            backbone=_base_.backbone,
            in_channels=(24, 40, 112, 320),
            embed_dims=128,
            patch_size=8,
        ),
        # So that masks start as the whole crop, whatever the seed.
        mask_head=dict(in_channels=128, vector_bias=0.08),
    ),
    # In units of the colours, whose standard deviation is 128 of 255 here.
    loss_crf=dict(zeta=0.13),
    crf_ramp=dict(iters=400),
)
