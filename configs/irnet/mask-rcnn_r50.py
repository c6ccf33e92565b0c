_base_ = '../final_models/mask-rcnn_r50.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/irnet.json'))
work_dir = 'work_dirs/irnet/mask-rcnn_r50'
wsis = dict(labeler='configs/irnet/irnet_r50_coco.py')
