_base_ = [
    '../_base_/final_models/mask-rcnn_r50_voc.py',
    '../_base_/training_masks/irnet_voc.py',
]

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/irnet.json'))
work_dir = 'work_dirs/irnet/mask-rcnn_r50_voc'
