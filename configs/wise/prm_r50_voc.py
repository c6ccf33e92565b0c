# Points from image tags on the 1,464 images of VOC's segmentation train set: the classifier
# of peak response maps, whose peaks are traced back to the image.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/voc.py',
    '../_base_/datasets/tagged_squares.py',
    '../_base_/schedules/pam_15e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='mmwsis.PeakResponseClassifier',
    # Stride 32; all stages learn, batch norms are frozen.
    backbone=dict(
        strides=(1, 2, 2, 2),
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=False),
    ),
    head=dict(
        _delete_=True,
        type='mmwsis.PeakStimulationHead',
        num_classes=20,
        in_channels=2048,
        scale_factor=8,
        kernel_size=3,
    ),
    map_extractor=dict(_delete_=True, type='mmwsis.FlippedCAM', smoothing=3),
    # Points where there are no tags, of validation images: classes='predicted'. CAM peaks:
    # back_propagate=False, min_value=None, min_share=0.5, min_distance=16, keep_best=True.
    test_cfg=dict(
        classes='tags',
        back_propagate=True,
        min_value=30.0,
        min_share=0.0,
        min_distance=0.0,
        keep_best=False,
    ),
)

# The optimiser of the released points is not known: the schedule is that of BESTIE's
# classifier. The size is that of the paper on peak response maps.
train_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.ResizeToSize', size=448, interpolation='bilinear'),
    dict(type='mmwsis.RandomMirror', prob=0.5),
    dict(type='mmwsis.PackWeakInputs'),
]
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.PackWeakInputs'),
]
# The images without SBD.
data_spec = dict(
    name='voc_train',
    train=dict(
        ann_file='annotations/instances_train.json',
        weak=dict(
            image_tags='weak/image_tags_train.json',
            points='weak/points_train.json',
            boxes='weak/boxes_train.json',
            extreme_points='weak/extreme_points_train.json',
        ),
    ),
)
ann_file = data_spec['train']['weak']['image_tags']
train_dataloader = dict(
    batch_size=10, dataset=dict(ann_file=ann_file, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(ann_file=ann_file, pipeline=test_pipeline))
_base_.val_evaluator[
    1
].ann_file = f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}'
test_evaluator = _base_.val_evaluator

# --show and --show-dir of tools/test.py draw the maps and their points over the images.
default_hooks = dict(
    visualization=dict(
        type='mmwsis.ClassMapVisualizationHook', draw=False, show_points=True
    )
)

wsis = dict(
    method='WISE',
    stage='classifier',
    supervision='image_tags',
    produces='data/voc/pseudo_labels/wise_prm_points.json',
)
