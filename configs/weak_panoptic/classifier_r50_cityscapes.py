# The classes of Cityscapes in 15 crops of 400 x 500 pixels of every image: things and stuff.
_base_ = [
    '../_base_/models/gradcam_r50.py',
    '../_base_/datasets/cityscapes_panoptic.py',
    '../_base_/datasets/tag_crops.py',
    '../_base_/default_runtime.py',
]

_base_.tag_dataset.update(
    **_base_.train_boxes,
)
train_dataloader = dict(
    _delete_=True,
    **_base_.crop_loader,
    dataset=dict(**_base_.tag_dataset, pipeline=_base_.crop_pipeline),
)
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=4,
    dataset=dict(**_base_.tag_dataset, test_mode=True, pipeline=_base_.label_pipeline),
)
# There are no masks to measure on; generation refuses the maps of a classifier at chance.
val_dataloader = None
test_dataloader = None
val_evaluator = None
test_evaluator = None

# Ten epochs of 15 crops of 2975 images.
max_iters = 27890
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
)
param_scheduler = [
    dict(type='mmwsis.PolyDecayLR', power=0.9, by_epoch=False, begin=0, end=max_iters),
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=2789, max_keep_ckpts=3))
log_processor = dict(by_epoch=False)
# One GPU x 16 crops.
auto_scale_lr = dict(enable=False, base_batch_size=16)

wsis = dict(
    method='Weak panoptic',
    stage='classifier',
    supervision='image_tags',
    produces='data/cityscapes/pseudo_labels/grad_cam',
)
