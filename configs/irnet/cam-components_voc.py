# The baseline: connected components of the CAMs. The model has no weights.
_base_ = './relation-labels_voc.py'

model = dict(
    _delete_=True,
    type='mmwsis.ClassMapComponents',
    # IRNet's own.
    test_cfg=dict(threshold=0.25, min_area=0.01),
)
artifact = 'instances'

wsis = dict(stage='baseline', produces='data/voc/pseudo_labels/cam_components.json')
