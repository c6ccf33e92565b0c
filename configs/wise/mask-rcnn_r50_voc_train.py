_base_ = '../final_models/mask-rcnn_r50_voc_train.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/wise.json'))
work_dir = 'work_dirs/wise/mask-rcnn_r50_voc_train'
wsis = dict(labeler='configs/wise/wise_r50_voc.py')
