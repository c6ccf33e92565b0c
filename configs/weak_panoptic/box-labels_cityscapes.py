# What GrabCut and a proposal agree on in every box of Cityscapes.
_base_ = [
    '../_base_/datasets/cityscapes_panoptic.py',
    '../_base_/datasets/weak_panoptic_images.py',
    '../_base_/default_runtime.py',
]

# It has no weights.
model = dict(
    type='mmwsis.GrabCutProposals',
    num_things_classes=8,
    num_stuff_classes=0,
    test_cfg=dict(
        num_iters=5,
        grabcut_context=None,  # the whole image tells what background is
        overlap='box',  # of boxes of annotation and proposal
    ),
)
artifact = 'semantic_maps'

# What configs/proposals/built-in_coco.py makes; imported ones are another folder here.
proposals = 'data/cityscapes/proposals/built_in'
_base_.box_pipeline[1].path = proposals
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=8,  # processes that GrabCut runs in
    dataset=dict(
        **_base_.box_dataset,
        # 0 is background in the maps.
        **{**_base_.train_boxes, 'metainfo': dict(classes=_base_.data_spec.classes)},
        pipeline=_base_.box_pipeline,
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
        dict(
            path=proposals,
            command='python tools/generate_pseudo_labels.py '
            'configs/proposals/built-in_coco.py '
            '--dataset configs/_base_/datasets/cityscapes_panoptic.py '
            f'--out {proposals}',
        ),
    ],
    produces='data/cityscapes/pseudo_labels/box_labels',
)
