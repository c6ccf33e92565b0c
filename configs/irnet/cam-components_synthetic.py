# The baseline: connected components of the CAMs. The model has no weights.
_base_ = './relation-labels_synthetic.py'

model = dict(
    _delete_=True,
    type='mmwsis.ClassMapComponents',
    # The threshold at which the baseline is best, found with the ground truth.
    test_cfg=dict(threshold=0.45, min_area=0.01),
)
artifact = 'instances'

wsis = dict(
    stage='baseline', produces='data/synthetic/pseudo_labels/cam_components.json'
)
