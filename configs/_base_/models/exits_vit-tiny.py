_base_ = './mal_vit-tiny.py'

model = dict(
    type='mmwsis.ExitsLabeler',
    loss_mil=None,
    mil_ramp=None,
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
    ),
    retrieval=dict(
        delta=8,  # pixels of the crop
        hops=2,  # flatter attention than ViT-B's: a third hop forgets its start
        tau_fg=7.5e-4,  # both for a 32 x 32 grid; scaled to the grid of 16 x 16
        tau_bg=-2e-5,
        beta=0.25,
        sinkhorn_iters=100,
        sinkhorn_tol=1e-3,
        point_dropout=0.5,  # 0.9 of the few cells of a small grid leaves too little
    ),
)
