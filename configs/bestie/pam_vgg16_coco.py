# COCO 2017; no recipe has been released, so all settings are those of VOC, the number of
# epochs included.
_base_ = [
    '../_base_/models/pam_vgg16.py',
    '../_base_/datasets/coco.py',
    '../_base_/datasets/tagged_squares.py',
    '../_base_/schedules/pam_15e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=80))

train_dataloader = dict(batch_size=10, dataset=dict(pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
_base_.val_evaluator[
    1
].ann_file = f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}'
test_evaluator = _base_.val_evaluator

# --show and --show-dir of tools/test.py draw the maps and their cues over the images.
default_hooks = dict(
    visualization=dict(
        type='mmwsis.ClassMapVisualizationHook', draw=False, show_points=True
    )
)

wsis = dict(
    method='BESTIE',
    stage='classifier',
    supervision='image_tags',
    produces='data/coco/pseudo_labels/bestie_cues.json',
)
