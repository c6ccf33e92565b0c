_base_ = '../final_models/mask-rcnn_efficientnet-lite0_small.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/irnet.json'))
work_dir = 'work_dirs/irnet/mask-rcnn_efficientnet-lite0_small'
wsis = dict(labeler='configs/irnet/irnet_efficientnet-lite0_small.py')
