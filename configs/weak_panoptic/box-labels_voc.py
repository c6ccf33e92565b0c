# The labels of the first round on PASCAL VOC (train_aug): what GrabCut and a proposal agree on
# in every box, background where no box is. Its one stuff class needs no tags. The model has
# no weights.
_base_ = [
    '../_base_/datasets/voc_panoptic.py',
    '../_base_/default_runtime.py',
]

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
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=8,  # processes that GrabCut runs in
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='boxes',
        metainfo=_base_.metainfo,
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.boxes,
        data_prefix=dict(img=_base_.data_spec.train.img),
        min_box_side=0,  # a box without a pixel is named, not left out
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(
                type='mmwsis.LoadProposals',
                path=proposals,
                resize=False,
                allow_missing=True,
            ),
            dict(type='mmwsis.LoadWeakAnnotations', with_point=False, with_bbox=True),
            dict(type='mmwsis.PackWeakInputs', with_tags=False),
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
