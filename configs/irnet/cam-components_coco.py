# The baseline: connected components of the class maps. The model has no weights.
_base_ = [
    '../_base_/models/cam_components.py',
    '../_base_/stored_class_maps/coco.py',
    '../_base_/default_runtime.py',
]

wsis = dict(
    method='IRNet',
    stage='baseline',
    supervision='image_tags',
    requires=[
        dict(
            path='data/coco/weak/image_tags_train2017.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/coco/annotations/instances_train2017.json '
            '--level image_tags --out-dir data/coco/weak',
        ),
        dict(
            path='data/coco/class_maps/irnet',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/cam_r50_coco.py work_dirs/cam_r50_coco/epoch_5.pth',
        ),
    ],
    produces='data/coco/pseudo_labels/cam_components.json',
)
