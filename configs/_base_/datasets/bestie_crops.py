# Pipelines of BESTIE (released code): crops with pseudo labels to train on, whole images to
# predict on. A config says where the semantic maps and the cues are: `folder` in
# train_pipeline[1], `ann_file` in train_pipeline[2].
resizing = dict(
    interpolation='bilinear', backend='cv2', truncate_image=True, pixel_rule='corner'
)
augmentation = [
    dict(
        type='mmwsis.BrightnessContrastHue',
        brightness_delta=16,
        contrast_range=(0.5, 1.5),
        hue_delta=36,
        prob=0.5,
        channel_order='bgr',
    ),
    dict(
        type='mmwsis.ResizeToStride',
        crop_size=416,
        stride=32,
        truncate_points=True,
        **resizing,
    ),
    dict(
        type='mmwsis.RandomChoiceRescale',
        factors=(0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3),
        **resizing,
    ),
    dict(
        type='mmwsis.RandomCropOrPad',
        crop_size=416,
        pad_value=(103, 116, 123),  # BGR
        seg_pad_value=0,  # background
        pixel_rule='corner',
    ),
    dict(
        type='mmwsis.RandomMirror', prob=0.5, pixel_rule='corner', truncate_points=True
    ),
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmwsis.LoadSemanticMap', needs_background=True, clean_by_tags=False),
    dict(type='mmwsis.LoadCues', score_thr=0.7),
    *augmentation,
    dict(type='mmwsis.GenerateCenterTargets', sigma=6.0, min_area=50),
    dict(type='mmwsis.PackWeakInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmwsis.ResizeToMultiple', divisor=32, interpolation='bilinear'),
    # To draw, in pixels of the original image, which is why nothing resizes them.
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
# Training images to label, with their tags.
label_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmwsis.ResizeToMultiple', divisor=32, interpolation='bilinear'),
    dict(type='mmwsis.PackWeakInputs'),
]
