_base_ = '../final_models/solov2_r101-dcn.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/exits.json'))
wsis = dict(labeler='configs/exits/labeler_vit-b_coco.py')
