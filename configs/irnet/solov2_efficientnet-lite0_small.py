_base_ = '../final_models/solov2_efficientnet-lite0_small.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/irnet.json'))
work_dir = 'work_dirs/irnet/solov2_efficientnet-lite0_small'
wsis = dict(labeler='configs/irnet/irnet_efficientnet-lite0_small.py')
