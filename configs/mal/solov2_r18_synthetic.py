# Differs from its EXITS namesake in the pseudo labels alone.
_base_ = '../exits/solov2_r18_synthetic.py'

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/mal.json'))
work_dir = 'work_dirs/mal/solov2_r18_synthetic'

wsis = dict(
    method='MAL',
    supervision='boxes',
    requires=[
        dict(
            path='data/synthetic/pseudo_labels/mal.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/mal/labeler_vit-tiny_synthetic.py '
            'work_dirs/mal/labeler_vit-tiny_synthetic/iter_900.pth',
        ),
    ],
)
