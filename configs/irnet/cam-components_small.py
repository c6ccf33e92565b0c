# The baseline: connected components of the CAMs. The model has no weights.
_base_ = './relation-labels_small.py'

model = dict(
    _delete_=True,
    type='mmwsis.ClassMapComponents',
    # The threshold at which the baseline is best on animals7, found with the ground truth.
    test_cfg=dict(threshold=0.4, min_area=0.01),
)
artifact = 'instances'

wsis = dict(stage='baseline', produces='data/small/pseudo_labels/cam_components.json')
