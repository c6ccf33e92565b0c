custom_imports = dict(imports=['toy_network'])
default_scope = 'mmdet'
classes = ('disc', 'ring', 'square', 'triangle', 'star', 'bar')
root = 'scenes/'
truth = root + 'annotations/instances_val.json'

model = dict(
    type='mmwsis.BoxNetwork',
    num_classes=6,
    backbone=dict(type='mmwsis.OneConvolution', channels=16),
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[120.0] * 3,
        std=[60.0] * 3,
        bgr_to_rgb=True,
        pad_size_divisor=16,
    ),
)
load = dict(type='LoadImageFromFile')
resize = dict(type='Resize', scale=(50, 90), keep_ratio=True)
keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
train_pipeline = [
    load,
    dict(type='LoadAnnotations', with_bbox=True),
    resize,
    dict(type='PackDetInputs'),
]
test_pipeline = [load, resize, dict(type='PackDetInputs', meta_keys=keys)]
weak = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='boxes',
    data_root=root,
    ann_file='weak/boxes_train.json',
    data_prefix=dict(img='train/'),
    metainfo=dict(classes=classes),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    dataset=dict(weak, pipeline=train_pipeline),
    sampler=dict(type='InfiniteSampler', shuffle=True),
)
pseudo_label_dataloader = dict(
    batch_size=2,
    num_workers=0,
    dataset=dict(weak, pipeline=test_pipeline, test_mode=True),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    dataset=dict(
        type='CocoDataset',
        data_root=root,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='val/'),
        metainfo=dict(classes=classes),
        test_mode=True,
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='mmwsis.CocoInstanceMetric', ann_file=truth, metric=['bbox', 'segm']),
    dict(type='mmwsis.VOCInstanceMetric', ann_file=truth),
    dict(
        type='mmwsis.PanopticQualityMetric',
        ann_file=root + 'annotations/panoptic_val.json',
        seg_prefix=root + 'annotations/panoptic_val/',
    ),
]
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=30, val_interval=30)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.05))
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=30, by_epoch=False),
    visualization=dict(type='DetVisualizationHook'),
)
visualizer = dict(
    type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
)
log_processor = dict(by_epoch=False)
randomness = dict(seed=0)
artifact = 'instances'
wsis = dict(
    method='TOY',
    stage='end_to_end',
    supervision='boxes',
    produces='scenes/pseudo_labels/toy.json',
)
