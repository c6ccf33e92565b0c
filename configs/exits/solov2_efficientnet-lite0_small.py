_base_ = '../final_models/solov2_efficientnet-lite0_small.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/exits.json'))
wsis = dict(labeler='configs/exits/labeler_efficientnet-lite0_small.py')
