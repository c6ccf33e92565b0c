_base_ = '../final_models/mask-rcnn_r50.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/bestie.json'))
work_dir = 'work_dirs/bestie/mask-rcnn_r50'
wsis = dict(labeler='configs/bestie/bestie_hrnet-w48_coco.py')
