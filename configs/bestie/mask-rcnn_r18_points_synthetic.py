_base_ = '../final_models/mask-rcnn_r18_synthetic.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/bestie_points.json'))
work_dir = 'work_dirs/bestie/mask-rcnn_r18_points_synthetic'
wsis = dict(labeler='configs/bestie/bestie_r18_points_synthetic.py')
