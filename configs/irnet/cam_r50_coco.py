# COCO 2017; the paper has VOC alone. Same settings.
_base_ = [
    '../_base_/models/cam_r50.py',
    '../_base_/datasets/coco.py',
    '../_base_/datasets/tagged_images.py',
    '../_base_/schedules/cam_5e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=80))

train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
_base_.val_evaluator[
    1
].ann_file = f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}'
test_evaluator = _base_.val_evaluator

# --show and --show-dir of tools/test.py draw the CAMs over the images.
default_hooks = dict(
    visualization=dict(type='mmwsis.ClassMapVisualizationHook', draw=False)
)

wsis = dict(
    method='IRNet',
    stage='classifier',
    supervision='image_tags',
    produces='data/coco/class_maps/irnet',
)
