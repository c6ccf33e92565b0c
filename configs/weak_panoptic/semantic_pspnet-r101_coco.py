# The semantic network of VOC, pretrained on COCO's images with VOC's classes: labels of boxes
# here, full ones with --cfg-options train_dataloader.dataset.pipeline.1.
# ann_file=data/coco/annotations/panoptic_train2017_voc.json.
_base_ = ['./semantic_pspnet-r101_voc.py', '../_base_/datasets/coco_voc.py']

data_spec = _base_.coco_spec
data_root = _base_.coco_root
train_boxes = _base_.coco_boxes
val_panoptic = _base_.coco_val_panoptic
labels = 'data/coco/pseudo_labels/weak_panoptic_voc_round0.json'
train_pipeline = _base_.train_dataloader.dataset.pipeline
label_map = dict(ann_file=labels)
train_pipeline[1].ann_file = labels
train_dataloader = dict(dataset=dict(**train_boxes, pipeline=train_pipeline))
pseudo_label_dataloader = dict(dataset=train_boxes)
val_dataloader = dict(dataset=_base_.coco_val)
test_dataloader = val_dataloader
val_evaluator = val_panoptic
test_evaluator = val_evaluator

wsis = dict(
    requires=['configs/weak_panoptic/box-labels_coco.py'],
    produces='data/coco/pseudo_labels/weak_panoptic_voc_round1.json',
)
