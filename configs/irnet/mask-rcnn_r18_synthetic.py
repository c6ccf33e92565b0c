_base_ = '../final_models/mask-rcnn_r18_synthetic.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/irnet.json'))
work_dir = 'work_dirs/irnet/mask-rcnn_r18_synthetic'
wsis = dict(labeler='configs/irnet/irnet_r18_synthetic.py')
