# The labels of the first round on COCO's images with VOC's classes, of their boxes: what the
# semantic network of VOC is pretrained on. Other classes are background.
_base_ = ['./box-labels_voc.py', '../_base_/datasets/coco_voc.py']

data_spec = _base_.coco_spec
data_root = _base_.coco_root
train_boxes = _base_.coco_boxes
val_panoptic = _base_.coco_val_panoptic
proposals = 'data/coco/proposals/built_in_voc'
_base_.box_pipeline[1].path = proposals
pseudo_label_dataloader = dict(
    dataset=dict(**train_boxes, pipeline=_base_.box_pipeline)
)

wsis = dict(
    requires=[
        dict(
            path=proposals,
            command='python tools/generate_pseudo_labels.py '
            'configs/proposals/built-in_coco.py '
            f'--out {proposals} --cfg-options '
            'pseudo_label_dataloader.dataset.ann_file={train[weak][boxes]}',
        ),
    ],
    produces='data/coco/pseudo_labels/weak_panoptic_voc_round0.json',
)
