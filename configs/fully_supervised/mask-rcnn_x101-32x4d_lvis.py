# The twin that retention divides by: differs in the annotation file alone.
_base_ = [
    '../_base_/final_models/mask-rcnn_x101-32x4d_lvis.py',
    '../_base_/training_masks/ground_truth.py',
]

# The inner dataset: ClassBalancedDataset wraps it.
train_dataloader = dict(
    dataset=dict(dataset=dict(ann_file=_base_.data_spec.train.ann_file))
)
work_dir = 'work_dirs/fully_supervised/mask-rcnn_x101-32x4d_lvis'
