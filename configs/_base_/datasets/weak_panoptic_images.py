# Data pipelines of weak panoptic on whole images; a config says where labels, maps,
# proposals and detections are, in the second and third step.
# Training on the labels of a round: detections follow them in the last network's pipeline.
label_map = dict(type='mmwsis.LoadPanopticMap', seg_prefix=None)
detections = dict(type='mmwsis.LoadDetections', score_thr=0.5, max_per_img=100)
augmentation = [
    dict(type='mmwsis.RandomRescale', scale=(0.5, 2.0), interpolation='bilinear'),
    dict(type='mmwsis.RandomMirror'),
    dict(type='mmwsis.RandomCropOrPad', crop_size=521),
    dict(type='mmwsis.PackWeakInputs', with_tags=False),
]
# Size at which the network predicts, here that of the image.
predicted_size = dict(
    type='mmwsis.RandomRescale', scale=(1.0, 1.0), interpolation='bilinear'
)
# What is known of a training image when it is labelled: its box label map and boxes, and the
# tags that the dataset gives. Labels have the size of the original image, so these follow the
# resizing of what the network sees. Images of the level masks keep the map that people drew,
# which is in `ann_file` of the last step; a dataset at `boxes` has no such images.
known_labels = [
    dict(type='mmwsis.LoadBoxLabelMap'),
    dict(type='mmwsis.LoadWeakAnnotations', with_point=False, with_bbox=True),
    dict(type='mmwsis.LoadFullLabels', ann_file=None, seg_prefix=None),
]
# Where a test may read the truth, which only the ranking 'oracle' needs: `with_mask=True` and
# `with_seg=True`.
true_segments = dict(
    type='mmwsis.LoadPanopticAnnotations',
    with_bbox=False,
    with_label=False,
    with_mask=False,
    with_seg=False,
)
# One crop at a time, as in the paper. The losses of a larger batch are others: the semantic
# ones are means over the labelled pixels of the whole batch, `loss_instance` is the mean over
# its images.
train_loader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
)
label_loader = dict(batch_size=1, num_workers=4)
# Weak labels of the training images: boxes of things, tags of things and stuff.
weak_dataset = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='boxes',
    filter_cfg=None,  # an image without objects is an example, too
)
# GrabCut's: every box of a training image and the proposals, whose folder is a config's.
box_dataset = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='boxes',
    min_box_side=0,  # a box without a pixel is named, not left out
    test_mode=True,
)
box_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    # All of them: a learned ranking must not decide which of them a box can have.
    dict(
        type='mmwsis.LoadProposals',
        path=None,
        max_num=None,
        resize=False,
        allow_missing=True,
    ),
    dict(type='mmwsis.LoadWeakAnnotations', with_point=False, with_bbox=True),
    dict(type='mmwsis.PackWeakInputs', with_tags=False),
]
