# COCO 2017; the paper has VOC alone. Same settings.
_base_ = [
    '../_base_/models/irnet_r50.py',
    '../_base_/relation_pairs/coco.py',
    '../_base_/schedules/irnet_3e.py',
    '../_base_/irnet_runtime.py',
]

model = dict(loss=dict(num_classes=80))

wsis = dict(
    method='IRNet',
    stage='labeler',
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
        dict(
            path='data/coco/relation_labels/irnet',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/relation-labels_coco.py',
        ),
    ],
    produces='data/coco/pseudo_labels/irnet.json',
)
