# Differs from its EXITS namesake in the pseudo labels alone.
_base_ = '../exits/solov2_r50.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/mal.json'))
work_dir = 'work_dirs/mal/solov2_r50'

wsis = dict(
    method='MAL',
    supervision='boxes',
    requires=[
        dict(
            path='data/coco/pseudo_labels/mal.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/mal/labeler_vit-b_coco.py '
            'work_dirs/mal/labeler_vit-b_coco/epoch_10.pth',
        ),
    ],
)
