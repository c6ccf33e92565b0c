# COCO 2017; the paper has VOC alone. Same settings.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/tagged_images/coco.py',
    '../_base_/schedules/cam_5e.py',
    '../_base_/classifier_runtime.py',
]

model = dict(head=dict(num_classes=80))

wsis = dict(
    method='IRNet',
    stage='classifier',
    supervision='image_tags',
    requires=[
        dict(
            path='data/coco/weak/image_tags_train2017.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/coco/annotations/instances_train2017.json '
            '--level image_tags --out-dir data/coco/weak',
        ),
    ],
    produces='data/coco/class_maps/irnet',
)
