# SAM prompted with boxes: a mask for each, without any training. The weights are no part of
# this project; `model.weights` is a folder, or a repository that is downloaded once.
_base_ = ['../data_specs/small.py', '../_base_/default_runtime.py']

model = dict(
    type='mmwsis.SAMLabeler',
    weights='facebook/sam-vit-base',
    revision=None,  # a branch, tag or commit of the repository
    test_cfg=dict(
        # Of three masks the one whose IoU the decoder predicts to be the largest. 'single':
        # its one mask for prompts that leave no doubt.
        mask_choice='predicted_iou',
        prompts_per_batch=64,  # decoded at once; memory
    ),
)
artifact = 'object_masks'

pseudo_label_dataloader = dict(
    batch_size=1,  # images that are encoded at once
    num_workers=2,
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='boxes',
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.boxes,
        data_prefix=dict(img=_base_.data_spec.train.img),
        filter_cfg=None,
        min_box_side=0,  # every box gets its mask
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            # centre=True: the centre of the box is a point of the object, too.
            dict(type='mmwsis.PackPrompts', prompt='boxes', centre=False),
        ],
    ),
)
train_dataloader = None
val_dataloader = None
test_dataloader = None

wsis = dict(
    method='SAM',
    stage='labeler',
    supervision='boxes',
    produces='data/small/pseudo_labels/sam.json',
)
