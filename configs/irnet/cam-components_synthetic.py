# The baseline: connected components of the class maps. The model has no weights.
_base_ = [
    '../_base_/models/cam_components.py',
    '../_base_/stored_class_maps/synthetic.py',
    '../_base_/default_runtime.py',
]

# The threshold at which the baseline is best, found with the ground truth.
model = dict(test_cfg=dict(threshold=0.45))

wsis = dict(
    method='IRNet',
    stage='baseline',
    supervision='image_tags',
    requires=[
        dict(
            path='data/synthetic/weak/image_tags_train.json',
            command='python tools/dataset_converters/make_synthetic.py --out data/synthetic',
        ),
        dict(
            path='data/synthetic/class_maps/irnet',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/cam_r18_synthetic.py work_dirs/cam_r18_synthetic/iter_150.pth',
        ),
    ],
    produces='data/synthetic/pseudo_labels/cam_components.json',
)
