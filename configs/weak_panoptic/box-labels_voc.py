# The labels of the first round on PASCAL VOC (train_aug): what GrabCut and a proposal agree on
# in every box, background where no box is. Its one stuff class needs no tags.
_base_ = [
    '../_base_/datasets/voc_panoptic.py',
    '../_base_/datasets/weak_panoptic_images.py',
    '../_base_/default_runtime.py',
]

# It has no weights.
model = dict(
    type='mmwsis.GrabCutProposals',
    num_things_classes=20,
    num_stuff_classes=1,
    test_cfg=dict(
        num_iters=5,
        grabcut_context=None,  # the whole image tells what background is
        overlap='box',  # of boxes of annotation and proposal
        background=True,  # what is no object is the one stuff class
    ),
)
artifact = 'panoptic_maps'

# What configs/proposals/built-in_coco.py makes; imported ones are another folder here.
proposals = 'data/voc/proposals/built_in'
_base_.box_pipeline[1].path = proposals
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=8,  # processes that GrabCut runs in
    dataset=dict(
        **_base_.box_dataset,
        **_base_.train_boxes,
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
            '--dataset configs/_base_/datasets/voc_panoptic.py '
            f'--out {proposals}',
        ),
    ],
    produces='data/voc/pseudo_labels/weak_panoptic_round0.json',
)
