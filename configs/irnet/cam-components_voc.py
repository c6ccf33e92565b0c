# The baseline: connected components of the class maps. The model has no weights.
_base_ = [
    '../_base_/models/cam_components.py',
    '../_base_/stored_class_maps/voc.py',
    '../_base_/default_runtime.py',
]

wsis = dict(
    method='IRNet',
    stage='baseline',
    supervision='image_tags',
    requires=[
        dict(
            path='data/voc/weak/image_tags_train_aug.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/voc/annotations/instances_train_aug.json '
            '--level image_tags --out-dir data/voc/weak',
        ),
        dict(
            path='data/voc/class_maps/irnet',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/cam_r50_voc.py work_dirs/cam_r50_voc/epoch_5.pth',
        ),
    ],
    produces='data/voc/pseudo_labels/cam_components.json',
)
