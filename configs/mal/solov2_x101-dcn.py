_base_ = '../final_models/solov2_x101-dcn.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/mal.json'))
work_dir = 'work_dirs/mal/solov2_x101-dcn'
wsis = dict(labeler='configs/mal/labeler_vit-b_coco.py')
