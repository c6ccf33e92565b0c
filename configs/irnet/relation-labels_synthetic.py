# What CAMs are sure of: the targets of IRNet. The model has no weights.
_base_ = [
    '../_base_/models/relation_labels.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/default_runtime.py',
]

# CAMs of so small a network reach further beyond the objects than those of ResNet-50.
model = dict(test_cfg=dict(foreground_threshold=0.6, background_threshold=0.3))

class_maps = 'data/synthetic/class_maps/irnet'
_base_.test_pipeline[1].folder = class_maps
pseudo_label_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
train_dataloader = None
val_dataloader = None
test_dataloader = None

wsis = dict(
    method='IRNet',
    stage='relation_labels',
    supervision='image_tags',
    requires=['configs/irnet/cam_r18_synthetic.py'],
    produces='data/synthetic/relation_labels/irnet',
)
