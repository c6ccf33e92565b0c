# The labels of the first round: Grad-CAM's of tags, merged with those of boxes. The model has
# no weights.
_base_ = [
    '../_base_/datasets/small_panoptic.py',
    '../_base_/datasets/weak_panoptic_images.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='mmwsis.MergeWeakLabels',
    num_things_classes=1,
    num_stuff_classes=1,
    # The rows of the released code's switches; all are on in the first round.
    test_cfg=dict(tags=True, merge=True, box_prior=True, low_iou=0.5, instances=True),
)
artifact = 'panoptic_maps'

tag_labels = 'data/small/pseudo_labels/grad_cam'
box_labels = 'data/small/pseudo_labels/box_labels'
_base_.known_labels[0].folder = box_labels
pseudo_label_dataloader = dict(
    **_base_.label_loader,
    dataset=dict(
        **_base_.weak_dataset,
        **_base_.train_boxes,
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmwsis.LoadSemanticMap', folder=tag_labels),
            *_base_.known_labels,
            dict(type='mmwsis.PackWeakInputs'),
        ],
    ),
)
train_dataloader = None
val_dataloader = None
test_dataloader = None
val_evaluator = None
test_evaluator = None

wsis = dict(
    method='Weak panoptic',
    stage='labeler',
    supervision='boxes',
    requires=[
        'configs/weak_panoptic/box-labels_small.py',
        'configs/weak_panoptic/classifier_efficientnet-lite0_small.py',
    ],
    produces='data/small/pseudo_labels/weak_panoptic_round0.json',
)
