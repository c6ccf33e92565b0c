_base_ = [
    '../_base_/models/irnet_r50.py',
    '../_base_/datasets/voc.py',
    '../_base_/datasets/relation_pairs.py',
    '../_base_/schedules/irnet_3e.py',
    '../_base_/default_runtime.py',
]

relation_labels = 'data/voc/relation_labels/irnet'
class_maps = 'data/voc/class_maps/irnet'
_base_.train_pipeline[1].folder = relation_labels
_base_.test_pipeline[1].folder = class_maps
train_dataloader = dict(
    batch_size=32,  # one GPU
    dataset=dict(pipeline=_base_.train_pipeline),
)
pseudo_label_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
val_dataloader = None
test_dataloader = None

# When training is over, the mean displacement is found.
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='mmwsis.DisplacementMeanHook', crop_size=512, whole_batches=32),
]

wsis = dict(
    method='IRNet',
    stage='labeler',
    supervision='image_tags',
    requires=['configs/irnet/cam_r50_voc.py', 'configs/irnet/relation-labels_voc.py'],
    produces='data/voc/pseudo_labels/irnet.json',
)
