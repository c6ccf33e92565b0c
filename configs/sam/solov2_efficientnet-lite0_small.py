_base_ = '../final_models/solov2_efficientnet-lite0_small.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/sam.json'))
work_dir = 'work_dirs/sam/solov2_efficientnet-lite0_small'
wsis = dict(labeler='configs/sam/sam-vit-b_boxes_small.py')
