# BESTIE's classifier (supplement, figure 10; released code): VGG16 of stride 8 and three
# convolutions with peak attention. 21,804,372 parameters with 20 classes.
model = dict(
    type='mmwsis.CAMClassifier',
    data_preprocessor=dict(
        type='mmwsis.WholeImagePreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=False,  # LoadCachedImage gives RGB
    ),
    backbone=dict(
        type='mmwsis.DilatedVGG',
        depth=16,
        pool_strides=(2, 2, 2, 1),
        dilations=(1, 1, 1, 1, 2),
        init_cfg=dict(
            type='Pretrained',
            # torchvision's IMAGENET1K_V1; by its address, so that torchvision is not needed.
            checkpoint='https://download.pytorch.org/models/vgg16-397923af.pth',
        ),
    ),
    head=dict(
        type='mmwsis.PeakAttentionHead',
        num_classes=20,
        in_channels=512,
        feat_channels=512,
        num_convs=3,
        # alpha=0 is a plain ReLU, and the cues those of CAMs.
        act_cfg=dict(type='mmwsis.PeakAttention', alpha=0.7),
    ),
    map_extractor=dict(type='mmwsis.FlippedCAM', smoothing=3),
    # Cues: peaks of 15x15 windows, at most 25 of a class. Equal neighbours stay, as in the
    # released code; merge_plateaus=True makes one cue of them.
    test_cfg=dict(
        kernel_size=15,
        min_score=0.1,
        max_per_class=25,
        merge_plateaus=False,
        score_digits=3,
    ),
)
