_base_ = '../final_models/mask-rcnn_efficientnet-lite0_small.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/bestie.json'))
work_dir = 'work_dirs/bestie/mask-rcnn_efficientnet-lite0_small'
wsis = dict(labeler='configs/bestie/bestie_efficientnet-lite0_small.py')
