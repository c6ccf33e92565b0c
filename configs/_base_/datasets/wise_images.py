# Whole images of WISE with their points and proposals, no flip. A config says where they are:
# paths of the loaders' datasets, `path` in the second step of every pipeline.
# Native size. Half of it, for less memory, is `scale=[0.5,0.5]` in pipeline.3 of train_,
# pipeline.4 of pseudo_label_ and pipeline.2 of the other dataloaders.
native = dict(type='mmwsis.RandomRescale', scale=(1.0, 1.0), interpolation='bilinear')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmwsis.LoadProposals', max_num=1000),
    dict(type='mmwsis.LoadWeakAnnotations'),
    native,
    dict(type='mmwsis.PointsToPixels'),
    dict(
        type='mmwsis.GeneratePixelGroups',
        samples_per_group=None,  # as many as there are points
        sample_min_score=0.0,
        cand_min_score=0.3,  # of proposals that are no background
        single_point=False,
        background_anchors=False,
    ),
    dict(type='mmwsis.PackWeakInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    # Made on the fly where DetInferencer is given an image of no dataset.
    dict(type='mmwsis.GenerateProposals', max_num=1000),
    native,
    # For the rows of Table 1 that are upper bounds; the others do not look at masks.
    dict(type='mmwsis.LoadWeakAnnotations', with_point=False, with_mask=True),
    dict(type='mmwsis.PackWeakInputs', with_tags=False),
]
# Training images to label, with their points: pixels of the original image, as masks are.
label_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmwsis.LoadProposals', max_num=1000),
    dict(type='mmwsis.LoadWeakAnnotations'),
    dict(type='mmwsis.PointsToPixels'),
    native,
    dict(type='mmwsis.PackWeakInputs'),
]
train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='points',
        filter_cfg=None,  # an image without objects is an example, too
    ),
)
# Masks that are never trained on.
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='masks',
        filter_cfg=None,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
# What tools/generate_pseudo_labels.py labels: every training image.
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=4,
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='points',
        filter_cfg=None,
        test_mode=True,
    ),
)
artifact = dict(type='instances', min_score=0.0)  # 0: no proposal fitted the region
