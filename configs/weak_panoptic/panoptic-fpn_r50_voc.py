_base_ = '../final_models/panoptic-fpn_r50_voc.py'

train_dataloader = dict(
    dataset=dict(
        ann_file='pseudo_labels/weak_panoptic.json',
        data_prefix=dict(seg='pseudo_labels/weak_panoptic/'),
    )
)
work_dir = 'work_dirs/weak_panoptic/panoptic-fpn_r50_voc'
wsis = dict(labeler='configs/weak_panoptic/weak_panoptic_r101_voc.py')
