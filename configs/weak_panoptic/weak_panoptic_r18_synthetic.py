# Weak panoptic on synthetic scenes: the semantic network, trained on through the instance
# sub-network. Its weights are where this training begins; tested with them as they are, it
# is the paper's piecewise one.
_base_ = './semantic_pspnet-r18_synthetic.py'

model = dict(
    instance_head=dict(
        _delete_=True,
        type='mmwsis.InstanceCRFHead',
        num_things_classes=6,
        num_stuff_classes=3,
        box_weight=1.0,
        global_weight=1.0,
        # Scenes are a third as long as photographs, and so are the distances.
        position=dict(weight=3.0, sxy=1),
        colour=dict(weight=5.0, sxy=15, srgb=10),
        num_iters=5,
    ),
    test_cfg=dict(
        thing_score='det', stuff_score='mean_conf', num_iters=10, refinement=None
    ),
)

# Of the semantic network, and what its detector found.
load_from = 'work_dirs/semantic_pspnet-r18_synthetic/iter_300.pth'
train_detections = dict(
    **_base_.detections, ann_file='data/synthetic/pseudo_labels/detections_train.json'
)
val_detections = dict(
    **_base_.detections, ann_file='data/synthetic/pseudo_labels/detections_val.json'
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

# At a tenth of the rate.
max_iters = 150
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [{**_base_.param_scheduler[0], 'end': max_iters}]
auto_scale_lr = dict(base_batch_size=2)
default_hooks = dict(checkpoint=dict(interval=150))

wsis = dict(
    requires=[
        'configs/weak_panoptic/merged-labels_synthetic.py',
        'configs/weak_panoptic/box-labels_synthetic.py',
        'configs/weak_panoptic/semantic_pspnet-r18_synthetic.py',
        'configs/weak_panoptic/detector_faster-rcnn_r18_synthetic.py',
        dict(
            path='data/synthetic/pseudo_labels/detections_val.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/weak_panoptic/detector_faster-rcnn_r18_synthetic.py '
            'work_dirs/detector_faster-rcnn_r18_synthetic/iter_300.pth '
            '--out data/synthetic/pseudo_labels/detections_val.json --cfg-options '
            'pseudo_label_dataloader.dataset.ann_file={val[ann_file]} '
            'pseudo_label_dataloader.dataset.data_prefix.img={val[img]}',
        ),
    ],
    produces='data/synthetic/pseudo_labels/weak_panoptic.json',
)
