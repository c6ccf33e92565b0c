_base_ = [
    '../_base_/models/irnet_r50.py',
    '../_base_/relation_pairs/voc.py',
    '../_base_/schedules/irnet_3e.py',
    '../_base_/irnet_runtime.py',
]

wsis = dict(
    method='IRNet',
    stage='labeler',
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
        dict(
            path='data/voc/relation_labels/irnet',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/relation-labels_voc.py',
        ),
    ],
    produces='data/voc/pseudo_labels/irnet.json',
)
