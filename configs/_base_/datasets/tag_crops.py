# Crops with tags of their own, of a label file with crop_tags (coco2weak.py --crop-tags), for
# the classifier of weak panoptic; a config says where the images are. With tags of whole
# images instead, mmwsis.ImageTagsPerCrop(crop_size) follows the first step of both pipelines.
crop_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.TagCrop'),
    dict(type='mmwsis.RandomMirror'),
    dict(type='mmwsis.PackWeakInputs'),
]
label_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.PackWeakInputs'),
]
# The label file may hold boxes, too; nobody sees them.
tag_dataset = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='image_tags',
    filter_cfg=None,  # a crop without classes is an example, too
)
crop_loader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='mmwsis.SeededInfiniteSampler', shuffle=True),
)
artifact = dict(type='semantic_maps', background=False)
