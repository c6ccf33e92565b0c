# Differs from its EXITS namesake in the pseudo labels alone.
_base_ = '../exits/mask-rcnn_x101-64x4d_lvis.py'

train_dataloader = dict(dataset=dict(dataset=dict(ann_file='pseudo_labels/mal.json')))
work_dir = 'work_dirs/mal/mask-rcnn_x101-64x4d_lvis'

wsis = dict(
    method='MAL',
    supervision='boxes',
    requires=[
        dict(
            path='data/lvis_v1/pseudo_labels/mal.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/mal/labeler_vit-b_lvis.py '
            'work_dirs/mal/labeler_vit-b_lvis/epoch_10.pth',
        ),
    ],
)
