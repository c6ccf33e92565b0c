# The classifier of weak panoptic (Li et al., section 3.3): ResNet-50, mean pooling and a
# linear layer, ImageNet weights; its Grad-CAM becomes the label map of an image's tags.
model = dict(
    type='mmwsis.CropTagClassifier',
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
        out_indices=(3,),
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            # torchvision's IMAGENET1K_V1; by its address, so that torchvision is not needed.
            checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth',
        ),
    ),
    head=dict(type='mmwsis.ClassMapHead', num_classes=19, in_channels=2048, bias=True),
    map_extractor=dict(type='mmwsis.GradCAM'),
    test_cfg=dict(threshold=0.5),  # of a map's maximum
)
