_base_ = '../final_models/mask-rcnn_x101-32x4d_lvis.py'

# The inner dataset: ClassBalancedDataset wraps it.
train_dataloader = dict(dataset=dict(dataset=dict(ann_file='pseudo_labels/mal.json')))
work_dir = 'work_dirs/mal/mask-rcnn_x101-32x4d_lvis'
wsis = dict(labeler='configs/mal/labeler_vit-b_lvis.py')
