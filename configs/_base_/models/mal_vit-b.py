# MAL: convolutional stem, MIL and mean-field CRF loss, EMA teacher.
_base_ = './similarity_extractor_vit-b.py'

model = dict(
    network=dict(encoder=dict(patch_embed_type='conv_stem')),
    loss_crf=dict(
        type='mmwsis.MeanFieldCRFLoss', loss_weight=0.5, num_iters=100, zeta=0.1
    ),
    crf_ramp=dict(iters=4000, first_epoch_only=True),
)
