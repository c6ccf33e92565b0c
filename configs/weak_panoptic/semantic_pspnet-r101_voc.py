# The semantic network of weak panoptic on PASCAL VOC 2012 with SBD (train_aug, 10,582
# images): boxes of the 20 things, background elsewhere.
_base_ = [
    '../_base_/models/weak_panoptic_r101.py',
    '../_base_/datasets/voc_panoptic.py',
    '../_base_/datasets/weak_panoptic_images.py',
    '../_base_/schedules/weak_panoptic_150k.py',
    '../_base_/end_to_end_runtime.py',
]

model = dict(
    num_things_classes=20,
    num_stuff_classes=1,
    decode_head=dict(num_classes=21),
    auxiliary_head=dict(num_classes=21),
    instance_head=None,  # weak_panoptic_r101_voc.py has it
    # The labels of a further round (the paper has one): the paper's steps, without those that
    # its released code adds for Cityscapes. What is no object is background.
    test_cfg=dict(
        refinement=dict(
            crf=dict(kernels='deeplab_v2', num_iters=10),
            score_thr=None,
            tags=False,
            merge=False,
            box_prior=True,
            prior_label='background',
            low_iou=None,
            instances=True,
        ),
    ),
)

# Labels that are trained on: of the first round here, of the others by the pipeline.
labels = 'data/voc/pseudo_labels/weak_panoptic_round0.json'
_base_.label_map.ann_file = labels
train_dataloader = dict(
    _delete_=True,
    **_base_.train_loader,
    dataset=dict(
        **_base_.weak_dataset,
        **_base_.train_boxes,
        pipeline=[
            dict(type='LoadImageFromFile'),
            _base_.label_map,
            *_base_.augmentation,
        ],
    ),
)
pseudo_label_dataloader = dict(
    **_base_.label_loader,
    dataset=dict(
        **_base_.weak_dataset,
        **_base_.train_boxes,
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            _base_.predicted_size,
            _base_.known_labels[1],
            dict(type='mmwsis.PackWeakInputs'),
        ],
    ),
)
artifact = 'panoptic_maps'
val_dataloader = dict(
    num_workers=4,
    dataset=dict(
        return_classes=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            _base_.predicted_size,
            dict(type='mmwsis.PackWeakInputs', with_tags=False),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type='mmwsis.SemanticIoUMetric', **_base_.val_panoptic
)
test_evaluator = val_evaluator
default_hooks = dict(
    checkpoint=dict(interval=10000),
    visualization=dict(type='mmwsis.PanopticVisualizationHook'),
)

wsis = dict(
    method='Weak panoptic',
    stage='end_to_end',
    supervision='boxes',
    requires=['configs/weak_panoptic/box-labels_voc.py'],
    produces='data/voc/pseudo_labels/weak_panoptic_round1.json',
)
