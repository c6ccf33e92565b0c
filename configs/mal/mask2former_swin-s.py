_base_ = '../final_models/mask2former_swin-s.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/mal.json'))
work_dir = 'work_dirs/mal/mask2former_swin-s'
wsis = dict(labeler='configs/mal/labeler_vit-b_coco.py')
