# Crops with tags of their own, of a label file with crop_tags (coco2weak.py --crop-tags), for
# the classifier of weak panoptic; a config says where the images are. Tags of whole images
# instead are image_level=True in pipeline.1 of train_ and pseudo_label_dataloader.
crop_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.CropTags', image_level=False),
    dict(type='mmwsis.TagCrop'),
    dict(type='mmwsis.RandomMirror'),
    dict(type='mmwsis.PackWeakInputs'),
]
label_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.CropTags', image_level=False),
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
