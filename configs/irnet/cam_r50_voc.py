_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/tagged_images/voc.py',
    '../_base_/schedules/cam_5e.py',
    '../_base_/classifier_runtime.py',
]

wsis = dict(
    method='IRNet',
    stage='classifier',
    supervision='image_tags',
    requires=[
        dict(
            path='data/voc/weak/image_tags_train_aug.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/voc/annotations/instances_train_aug.json '
            '--level image_tags --out-dir data/voc/weak',
        ),
    ],
    produces='data/voc/class_maps/irnet',
)
