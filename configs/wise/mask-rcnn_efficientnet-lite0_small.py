_base_ = '../final_models/mask-rcnn_efficientnet-lite0_small.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/wise.json'))
work_dir = 'work_dirs/wise/mask-rcnn_efficientnet-lite0_small'
wsis = dict(labeler='configs/wise/wise_efficientnet-lite0_small.py')
