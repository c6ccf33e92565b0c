_base_ = [
    '../_base_/final_models/mask2former_swin-s.py',
    '../_base_/training_masks/exits_coco.py',
]

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/exits.json'))
