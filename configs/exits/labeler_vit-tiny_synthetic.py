_base_ = [
    '../_base_/models/mal_vit-tiny.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/datasets/object_crops_small.py',
    '../_base_/schedules/labeler_small.py',
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

mae = 'work_dirs/mae_vit-tiny_synthetic/iter_800.pth'
similarity_extractor = 'work_dirs/similarity-extractor_vit-tiny_synthetic/iter_250.pth'
model = dict(
    type='mmwsis.ExitsLabeler',
    network=dict(
        encoder=dict(
            init_cfg=dict(
                checkpoint=mae,
                made_by='python tools/train.py configs/exits/mae_vit-tiny_synthetic.py',
            )
        )
    ),
    # Not the paper's: MAL's projection loss stays, which takes masks to the sides of the box.
    loss_point=dict(type='mmwsis.ExtremePointLoss', loss_weight=2.0, mil_weight=10.0),
    similarity_extractor=dict(
        type='mmwsis.SimilarityExtractor',
        layer=1,  # in so shallow a network only the first layer's attention is peaked
        encoder=dict(
            type='mmwsis.LabelerViT',
            patch_embed_type='linear',
            img_size=(128, 128),
            patch_size=8,
            embed_dims=96,
            num_layers=4,
            num_heads=4,
            mlp_ratio=4,
        ),
        init_cfg=dict(
            type='mmwsis.EncoderPretrained',
            checkpoint=similarity_extractor,
            source='mmwsis',
            made_by='python tools/train.py '
            'configs/exits/similarity-extractor_vit-tiny_synthetic.py',
        ),
    ),
    retrieval=dict(
        delta=8,  # pixels of the crop
        hops=2,  # flatter attention than ViT-B's: a third hop forgets its start
        # How much the scores of a crop vary depends on its contrast, so both thresholds
        # are multiples of their standard deviation, not scores as in the paper.
        thresholds='relative',
        tau_fg=1.0,
        tau_bg=-0.5,
        beta=0.25,
        sinkhorn_iters=100,
        sinkhorn_tol=1e-6,  # its error stays below the differences of flat scores
        point_dropout=0.5,  # 0.9 of the few cells of a small grid leaves too little
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
    requires=[
        'configs/exits/mae_vit-tiny_synthetic.py',
        'configs/exits/similarity-extractor_vit-tiny_synthetic.py',
    ],
    produces='data/synthetic/pseudo_labels/exits.json',
)
