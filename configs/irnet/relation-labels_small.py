# What CAMs are sure of: the targets of IRNet. The model has no weights.
_base_ = [
    '../_base_/models/relation_labels.py',
    '../_base_/datasets/small.py',
    '../_base_/default_runtime.py',
]

model = dict(test_cfg=dict(foreground_threshold=0.30, background_threshold=0.05))

class_maps = 'data/small/class_maps/irnet'
# The dense CRF at the size at which the networks look, whatever the photograph's.
test_pipeline = [
    dict(type='mmwsis.LoadCachedImage', max_images=0),
    dict(type='mmwsis.LoadClassMaps', folder=class_maps, names=('high_res',)),
    dict(type='mmwsis.RandomLongSide', long_side=(352, 352)),
    dict(type='mmwsis.PackWeakInputs'),
]
pseudo_label_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_dataloader = None
val_dataloader = None
test_dataloader = None

wsis = dict(
    method='IRNet',
    stage='relation_labels',
    supervision='image_tags',
    requires=['configs/irnet/cam_efficientnet-lite0_small.py'],
    produces='data/small/relation_labels/irnet',
)
