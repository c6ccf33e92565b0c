# SAM prompted with one point in each object.
_base_ = './sam-vit-b_boxes_small.py'

pseudo_label_dataloader = dict(
    dataset=dict(
        supervision='points',
        ann_file=_base_.data_spec.train.weak.points,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmwsis.PackPrompts', prompt='points'),
        ],
    ),
)

wsis = dict(supervision='points', produces='data/small/pseudo_labels/sam_points.json')
