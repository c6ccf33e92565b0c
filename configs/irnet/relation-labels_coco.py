# What CAMs are sure of: the targets of IRNet. The model has no weights.
_base_ = [
    '../_base_/models/relation_labels.py',
    '../_base_/datasets/coco.py',
    '../_base_/default_runtime.py',
]

class_maps = 'data/coco/class_maps/irnet'
_base_.test_pipeline[1].folder = class_maps
pseudo_label_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
train_dataloader = None
val_dataloader = None
test_dataloader = None

wsis = dict(
    method='IRNet',
    stage='relation_labels',
    supervision='image_tags',
    requires=['configs/irnet/cam_r50_coco.py'],
    produces='data/coco/relation_labels/irnet',
)
