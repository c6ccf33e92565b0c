_base_ = './similarity_extractor_vit-tiny.py'

model = dict(
    loss_crf=dict(
        type='mmwsis.MeanFieldCRFLoss', loss_weight=1.0, num_iters=100, zeta=0.3
    ),
    mil_ramp=dict(iters=100, first_epoch_only=False),
    # Without a ramp the CRF loss empties the masks.
    crf_ramp=dict(iters=250, first_epoch_only=False),
)
