# Points from image tags on a few hundred photographs, without a GPU: the recipe of BESTIE's
# classifier with peak stimulation in place of peak attention.
_base_ = '../bestie/pam_efficientnet-lite0_small.py'

model = dict(
    type='mmwsis.PeakResponseClassifier',
    head=dict(
        _delete_=True,
        type='mmwsis.PeakStimulationHead',
        num_classes=1,
        in_channels=320,
        scale_factor=4,  # of stride 16
        kernel_size=3,
    ),
    # Classifiers that have seen little do not reach the paper's bound of 30.
    test_cfg=dict(
        _delete_=True,
        classes='tags',
        back_propagate=True,
        min_value=None,
        min_share=0.5,
        min_distance=10.0,  # cells of stride 4
        keep_best=True,
    ),
)

optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'head.classifier': dict(_delete_=True, lr_mult=10)})
)

wsis = dict(method='WISE', produces='data/small/pseudo_labels/wise_prm_points.json')
