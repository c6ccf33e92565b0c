# EXITS: MAL with the point loss in place of the MIL loss.
_base_ = './mal_vit-b.py'

model = dict(
    type='mmwsis.ExitsLabeler',
    loss_mil=None,
    mil_ramp=None,
    loss_point=dict(type='mmwsis.ExtremePointLoss', loss_weight=0.5, mil_weight=10.0),
    similarity_extractor=dict(
        type='mmwsis.SimilarityExtractor',
        layer=10,
        encoder=dict(
            type='mmwsis.LabelerViT',
            patch_embed_type='linear',
            img_size=(224, 224),
            patch_size=16,
            embed_dims=768,
            num_layers=12,
            num_heads=12,
            mlp_ratio=4,
        ),
    ),
    retrieval=dict(
        delta=24,  # pixels of the crop
        hops=3,
        tau_fg=1e-3,  # both for a 32 x 32 grid
        tau_bg=-1e-4,
        beta=0.25,  # of hops='inf' only
        sinkhorn_iters=100,
        sinkhorn_tol=1e-3,
        point_dropout=0.9,
    ),
)
