# The row "Mask R-CNN" of WISE's Table 2: masks of the 122 images that 29,280 seconds buy,
# which annotation_budget.py draws. As many iterations as on all 1,464 images.
_base_ = './mask-rcnn_r50_voc_train.py'

data_spec = dict(
    name='voc_budget_masks',
    train=dict(
        _delete_=True,
        ann_file='budget/masks_train.json',
        img=_base_.data_spec.train.img,
    ),
)
train_dataloader = dict(dataset=dict(ann_file=data_spec['train']['ann_file']))
# The rules of the other rows.
val_evaluator = [
    dict(
        type='mmwsis.CocoInstanceMetric',
        ann_file=f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}',
        metric='segm',
        ap_thrs=(0.25, 0.5, 0.75),
        remove_void=True,
    ),
]
test_evaluator = val_evaluator

max_epochs = 144
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[96, 132],
        gamma=0.1,
    ),
]
default_hooks = dict(checkpoint=dict(interval=12))
