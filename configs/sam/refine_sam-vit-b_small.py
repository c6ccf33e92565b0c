# SAM on top of pseudo labels: its mask where both agree, else the label stays. MAL's here;
# those of another labeler by
#   --cfg-options pseudo_label_dataloader.dataset.ann_file=pseudo_labels/exits.json
_base_ = './sam-vit-b_boxes_small.py'

model = dict(
    type='mmwsis.SAMRefiner',
    test_cfg=dict(
        min_iou=0.5,  # of SAM's mask and the label
        min_box_iou=0.75,  # of its tight box and the box that the labeler was given
    ),
)
artifact = dict(_delete_=True, type='object_masks', refine=True)

pseudo_label_dataloader = dict(
    dataset=dict(
        supervision='masks',  # of the pseudo labels
        ann_file='pseudo_labels/mal.json',
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            # Points of the mask, far from its outside and from each other.
            dict(type='mmwsis.PackPrompts', prompt='masks', num_points=3),
        ],
    ),
)

wsis = dict(
    supervision='masks',
    requires=['configs/mal/labeler_efficientnet-lite0_small.py'],
    produces='data/small/pseudo_labels/mal_refined.json',
)
