# What class maps are sure of: the targets of IRNet. The model has no weights.
_base_ = [
    '../_base_/models/relation_labels.py',
    '../_base_/stored_class_maps/synthetic.py',
    '../_base_/default_runtime.py',
]

# Maps of so small a network reach further beyond the objects than those of ResNet-50.
model = dict(test_cfg=dict(foreground_threshold=0.6, background_threshold=0.3))

wsis = dict(
    method='IRNet',
    stage='relation_labels',
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
    produces='data/synthetic/relation_labels/irnet',
)
