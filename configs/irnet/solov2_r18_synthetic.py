_base_ = [
    '../_base_/final_models/solov2_r18_synthetic.py',
    '../_base_/training_masks/irnet_synthetic.py',
]

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/irnet.json'))
work_dir = 'work_dirs/irnet/solov2_r18_synthetic'
