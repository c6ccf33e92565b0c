_base_ = './similarity_extractor_vit-tiny.py'

model = dict(
    # Boxes and point labels leave the outline to the CRF loss, which in so few iterations
    # must pull harder than in the paper.
    loss_crf=dict(
        type='mmwsis.MeanFieldCRFLoss', loss_weight=4.0, num_iters=100, zeta=0.3
    ),
    mil_ramp=dict(iters=100, first_epoch_only=False),
    # Without a ramp the CRF loss empties the masks.
    crf_ramp=dict(iters=200, first_epoch_only=False),
)
