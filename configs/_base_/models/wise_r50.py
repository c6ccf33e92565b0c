# WISE on ResNet-50 with ImageNet weights, batch norms frozen: L-Net and E-Net are FCN-8s'
# upsampling paths on strides 8, 16 and 32. 23,812,927 parameters for 20 classes, of which
# 23,759,807 are trained.
model = dict(
    type='mmwsis.WISE',
    num_classes=20,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        style='pytorch',
        out_indices=(1, 2, 3),
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            # torchvision's IMAGENET1K_V1; by its address, so that torchvision is not needed.
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
        ),
    ),
    localization_head=dict(type='mmwsis.FCN8Head', in_channels=(512, 1024, 2048)),
    embedding_head=dict(type='mmwsis.FCN8Head', in_channels=(512, 1024, 2048)),
    embed_dims=64,
    localization_weight=0.1,  # lambda; 1 trains L-Net alone, 0 E-Net alone
    loss_localization=dict(type='mmwsis.LCFCNLoss', form='softmax'),
    loss_embedding=dict(type='mmwsis.PixelEmbeddingLoss', eps=1e-6, reduction='sum'),
    test_cfg=dict(
        # Row of Table 1: 'blobs', 'best_proposal', 'oracle', 'gt_mask', 'prm', 'gt_points'.
        mask_source='wise',
        # The chosen proposal has a higher score; SharpMask's are calibrated: 0.5.
        cand_min_score=0.0,
        # Background is what none of a higher score around a point covers, as in training
        # (train_pipeline[5]): for the built-in generator and photographs (docs/proposals.md).
        background_min_score=0.3,
        single_point=False,
        kmeans_stride=1,
        restrict_to_point=True,
        score='dice',  # or 'peak', 'product'
        # When the training images are labelled: masks for their points, not for found ones.
        use_clicks=True,
    ),
)
