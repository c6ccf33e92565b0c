# MMDetection has no VOC instance config: the COCO one, 3x, with the 20 classes.
_base_ = [
    'mmdet::solov2/solov2_r101_fpn_ms-3x_coco.py',
    '../_base_/datasets/voc.py',
    '../_base_/final_model_runtime.py',
]

metainfo = dict(classes=_base_.data_spec.classes)
data_root = 'data/voc/'
train_dataloader = dict(
    dataset=dict(
        metainfo=metainfo,
        data_root=data_root,
        ann_file='pseudo_labels/exits.json',
        data_prefix=dict(img='JPEGImages/'),
    )
)
val_dataloader = dict(
    dataset=dict(
        metainfo=metainfo,
        data_root=data_root,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='JPEGImages/'),
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val.json')
test_evaluator = val_evaluator
model = dict(mask_head=dict(num_classes=20))
visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)

wsis = dict(
    method='EXITS',
    stage='final_model',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/voc/pseudo_labels/exits.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/exits/labeler_vit-b_voc.py '
            'work_dirs/labeler_vit-b_voc/epoch_80.pth',
        ),
    ],
    produces=None,
)
