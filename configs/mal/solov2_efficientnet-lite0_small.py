_base_ = '../final_models/solov2_efficientnet-lite0_small.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/mal.json'))
work_dir = 'work_dirs/mal/solov2_efficientnet-lite0_small'
wsis = dict(labeler='configs/mal/labeler_efficientnet-lite0_small.py')
