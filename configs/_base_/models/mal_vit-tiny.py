_base_ = './similarity_extractor_vit-tiny.py'

model = dict(
    loss_crf=dict(
        type='mmwsis.MeanFieldCRFLoss', loss_weight=1.0, num_iters=100, zeta=0.3
    ),
)
