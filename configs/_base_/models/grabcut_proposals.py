# What GrabCut and a proposal agree on in every box. The model has no weights. A config says
# where the proposals are:
#   _base_.box_pipeline[1].path = proposals
model = dict(
    type='mmwsis.GrabCutProposals',
    test_cfg=dict(
        num_iters=5,
        grabcut_context=None,  # the whole image tells what background is
        overlap='box',  # of boxes of annotation and proposal
    ),
)
box_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadProposals', path=None, resize=False, allow_missing=True),
    dict(type='mmwsis.LoadWeakAnnotations', with_point=False, with_bbox=True),
    dict(type='mmwsis.PackWeakInputs', with_tags=False),
]
box_dataset = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='boxes',
    min_box_side=0,  # a box without a pixel is named, not left out
    test_mode=True,
)
