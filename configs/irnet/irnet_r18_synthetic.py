_base_ = [
    '../_base_/models/irnet_r18_synthetic.py',
    '../_base_/relation_pairs/synthetic.py',
    '../_base_/schedules/irnet_small.py',
    '../_base_/small_runtime.py',
]

classifier = 'work_dirs/cam_r18_synthetic/iter_150.pth'
model = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True,
            type='Pretrained',
            checkpoint=classifier,
            prefix='backbone.',
        )
    )
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.DisplacementMeanHook', crop_size=256, whole_batches=32),
]

wsis = dict(
    method='IRNet',
    stage='labeler',
    supervision='image_tags',
    requires=[
        dict(
            path='data/synthetic/weak/image_tags_train.json',
            command='python tools/dataset_converters/make_synthetic.py --out data/synthetic',
        ),
        dict(
            path=classifier,
            command='python tools/train.py configs/irnet/cam_r18_synthetic.py',
        ),
        dict(
            path='data/synthetic/class_maps/irnet',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/cam_r18_synthetic.py '
            'work_dirs/cam_r18_synthetic/iter_150.pth',
        ),
        dict(
            path='data/synthetic/relation_labels/irnet',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/relation-labels_synthetic.py',
        ),
    ],
    produces='data/synthetic/pseudo_labels/irnet.json',
)
