_base_ = '../final_models/solov2_r50_voc.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/mal.json'))
work_dir = 'work_dirs/mal/solov2_r50_voc'
wsis = dict(labeler='configs/mal/labeler_vit-b_voc.py')
