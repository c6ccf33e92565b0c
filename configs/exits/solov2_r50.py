# The COCO default: SOLOv2 R-50, 3x, on the masks that the EXITS labeler made.
_base_ = '../final_models/solov2_r50.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/exits.json'))
wsis = dict(labeler='configs/exits/labeler_vit-b_coco.py')
