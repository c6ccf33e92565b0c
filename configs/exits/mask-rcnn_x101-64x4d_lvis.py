_base_ = '../final_models/mask-rcnn_x101-64x4d_lvis.py'

# The inner dataset: ClassBalancedDataset wraps it.
train_dataloader = dict(dataset=dict(dataset=dict(ann_file='pseudo_labels/exits.json')))
wsis = dict(labeler='configs/exits/labeler_vit-b_lvis.py')
