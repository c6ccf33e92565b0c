# SAM prompted with the box of four extreme points, and with points inside of it.
_base_ = './sam-vit-b_boxes_small.py'

pseudo_label_dataloader = dict(
    dataset=dict(
        supervision='extreme_points',
        ann_file=_base_.data_spec.train.weak.extreme_points,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(
                type='mmwsis.PackPrompts',
                prompt='extreme_points',
                # The four points, a tenth of the way to the centre of their box: off the
                # outline, into the object. None: the box alone.
                inward=0.1,
                # The centre itself, which is not on every object.
                centre=False,
            ),
        ],
    ),
)

wsis = dict(
    supervision='extreme_points',
    produces='data/small/pseudo_labels/sam_extreme_points.json',
)
