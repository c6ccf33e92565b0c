_base_ = [
    '../_base_/final_models/mask-rcnn_x101-64x4d_lvis.py',
    '../_base_/training_masks/exits_lvis.py',
]

# The inner dataset: ClassBalancedDataset wraps it.
train_dataloader = dict(dataset=dict(dataset=dict(ann_file='pseudo_labels/exits.json')))
