# MMDetection has no VOC instance config: the COCO one, 1x, with the 20 classes. The paper
# gives no schedule.
_base_ = [
    'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    '../data_specs/voc.py',
    '../_base_/final_model_runtime.py',
]

metainfo = dict(classes=_base_.data_spec.classes)
data_root = 'data/voc/'
train_dataloader = dict(
    dataset=dict(
        metainfo=metainfo,
        data_root=data_root,
        ann_file=_base_.data_spec.train.ann_file,
        data_prefix=dict(img=_base_.data_spec.train.img),
    )
)
val_dataloader = dict(
    dataset=dict(
        metainfo=metainfo,
        data_root=data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
    )
)
test_dataloader = val_dataloader
# AP50 and AP70 as the papers on VOC measure them, and COCO's AP beside them.
val_evaluator = [
    dict(
        type='mmwsis.VOCInstanceMetric',
        ann_file=data_root + _base_.data_spec.val.ann_file,
    ),
    dict(
        type='mmdet.CocoMetric',
        ann_file=data_root + _base_.data_spec.val.ann_file,
        metric='segm',
        format_only=False,
    ),
]
test_evaluator = val_evaluator
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=20), mask_head=dict(num_classes=20))
)
visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)
