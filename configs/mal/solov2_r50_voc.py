# Differs from its EXITS namesake in the pseudo labels alone.
_base_ = [
    '../_base_/final_models/solov2_r50_voc.py',
    '../_base_/training_masks/mal_voc.py',
]

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/mal.json'))
work_dir = 'work_dirs/mal/solov2_r50_voc'
