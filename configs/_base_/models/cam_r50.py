# IRNet's classifier: ResNet-50 of stride 16 (the last group is not strided), ImageNet
# weights; stem, group 1 and group 2 stay as they are, batch norms use stored statistics.
model = dict(
    type='mmwsis.CAMClassifier',
    data_preprocessor=dict(
        type='mmwsis.WholeImagePreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=False,  # LoadCachedImage gives RGB
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=50,
        style='pytorch',
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 1),
        out_indices=(3,),
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            # torchvision's IMAGENET1K_V1; by its address, so that torchvision is not needed.
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
        ),
    ),
    head=dict(type='mmwsis.ClassMapHead', num_classes=20, in_channels=2048),
    map_extractor=dict(type='mmwsis.MultiScaleCAM', stride=16),
)
