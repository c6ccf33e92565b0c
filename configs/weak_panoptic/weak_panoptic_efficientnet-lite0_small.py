# Weak panoptic on a few hundred photographs: the semantic network, trained on through the instance
# sub-network. Its weights are where this training begins; tested with them as they are, it
# is the paper's piecewise one.
_base_ = './semantic_efficientnet-lite0_small.py'

model = dict(
    norm_eval=True,  # batches of 2, and the head has its statistics
    instance_head=dict(
        _delete_=True,
        type='mmwsis.InstanceCRFHead',
        num_things_classes=1,
        num_stuff_classes=1,
        box_weight=1.0,
        global_weight=1.0,
        # Of photographs that are 320 pixels long here. Weights of 3 and 5, as elsewhere,
        # take windows of 15 pixels away from detections: on training facades PQ of things
        # .037, with 1 and 1 .088 (full labels, without any update .102).
        position=dict(weight=1.0, sxy=2),
        colour=dict(weight=1.0, sxy=40, srgb=10),
        num_iters=5,
    ),
    test_cfg=dict(
        thing_score='det', stuff_score='mean_conf', num_iters=10, refinement=None
    ),
)

# Of the semantic network, and what its detector found.
load_from = 'work_dirs/semantic_efficientnet-lite0_small/iter_400.pth'
train_detections = dict(
    **_base_.detections, ann_file='data/small/pseudo_labels/detections_train.json'
)
val_detections = dict(
    **_base_.detections, ann_file='data/small/pseudo_labels/detections_val.json'
)
train_pipeline = _base_.train_dataloader.dataset.pipeline
label_pipeline = _base_.pseudo_label_dataloader.dataset.pipeline
val_pipeline = _base_.val_dataloader.dataset.pipeline
train_dataloader = dict(
    batch_size=2,
    dataset=dict(pipeline=[*train_pipeline[:2], train_detections, *train_pipeline[2:]]),
)
pseudo_label_dataloader = dict(
    dataset=dict(
        pipeline=[
            label_pipeline[0],
            train_detections,
            label_pipeline[1],
            label_pipeline[-1],
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            val_pipeline[0],
            val_detections,
            val_pipeline[1],
            _base_.true_segments,
            val_pipeline[2],
        ],
    ),
)
test_dataloader = val_dataloader
del train_detections, val_detections, label_pipeline, val_pipeline
val_evaluator = [
    dict(type='mmwsis.PanopticQualityMetric', **_base_.val_panoptic),
    dict(type='mmwsis.PanopticAPMetric', **_base_.val_panoptic),
    dict(type='mmwsis.SemanticIoUMetric', **_base_.val_panoptic),
]
test_evaluator = val_evaluator

# At a lower rate: the weights are trained.
max_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [{**_base_.param_scheduler[0], 'end': max_iters}]
auto_scale_lr = dict(base_batch_size=2)
default_hooks = dict(checkpoint=dict(interval=200))

wsis = dict(
    requires=[
        'configs/weak_panoptic/merged-labels_small.py',
        'configs/weak_panoptic/box-labels_small.py',
        'configs/weak_panoptic/semantic_efficientnet-lite0_small.py',
        'configs/weak_panoptic/detector_faster-rcnn_efficientnet-lite0_small.py',
        dict(
            path='data/small/pseudo_labels/detections_val.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/weak_panoptic/detector_faster-rcnn_efficientnet-lite0_small.py '
            'work_dirs/detector_faster-rcnn_efficientnet-lite0_small/iter_800.pth '
            '--out data/small/pseudo_labels/detections_val.json --cfg-options '
            'pseudo_label_dataloader.dataset.ann_file={val[ann_file]} '
            'pseudo_label_dataloader.dataset.data_prefix.img={val[img]}',
        ),
    ],
    produces='data/small/pseudo_labels/weak_panoptic.json',
)
