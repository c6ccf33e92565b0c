_base_ = [
    '../_base_/models/mal_efficientnet-lite0.py',
    '../_base_/datasets/small.py',
    '../_base_/datasets/object_crops_small.py',
    '../_base_/schedules/labeler_pretrained.py',
    '../_base_/small_labeler_runtime.py',
]

train_dataloader = dict(
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='extreme_points',
        ann_file=_base_.data_spec.train.weak.extreme_points,
        filter_cfg=dict(_delete_=True, min_area=64, max_area=1e10, min_size=2),
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(type='mmwsis.ObjectCropDataset', pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
# Every annotation of the training images.
pseudo_label_dataloader = dict(
    batch_size=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='extreme_points',
        ann_file=_base_.data_spec.train.weak.extreme_points,
        pipeline=_base_.test_pipeline,
    ),
)

model = dict(
    type='mmwsis.ExitsLabeler',
    # Not the paper's, where the points replace it: MAL's projection loss stays.
    loss_point=dict(type='mmwsis.ExtremePointLoss', loss_weight=1.0, mil_weight=10.0),
    # Not the paper's: no extractor is trained, the backbone's features are compared.
    similarity_extractor=dict(
        type='mmwsis.FeatureSimilarity',
        backbone=_base_.backbone,
        patch_size=8,
        temperature=0.2,
    ),
    retrieval=dict(
        delta=8,  # pixels of the crop
        hops=3,
        # In standard deviations of the score difference. These features name background
        # well (19 of 20 points are right) and foreground badly (3 of 4), so that only the
        # extreme points are foreground: no score gets to 9.
        thresholds='relative',
        tau_fg=9.0,
        tau_bg=-0.2,
        beta=0.25,
        sinkhorn_iters=100,
        sinkhorn_tol=1e-6,
        point_dropout=0.5,
    ),
)

# The points retrieved for a few crops, as images and in TensorBoard.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.RetrievalVisualizationHook', interval=250),
]

wsis = dict(
    method='EXITS',
    stage='labeler',
    supervision='extreme_points',
    produces='data/small/pseudo_labels/exits.json',
)
