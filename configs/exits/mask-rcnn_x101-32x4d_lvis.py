# Needs the `lvis` package.
_base_ = [
    'mmdet::lvis/mask-rcnn_x101-32x4d_fpn_sample1e-3_ms-1x_lvis-v1.py',
    '../_base_/datasets/lvis.py',
    '../_base_/final_model_runtime.py',
]

# The inner data set: ClassBalancedDataset wraps it.
train_dataloader = dict(dataset=dict(dataset=dict(ann_file='pseudo_labels/exits.json')))
visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)

wsis = dict(
    method='EXITS',
    stage='final_model',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/lvis_v1/pseudo_labels/exits.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/exits/labeler_vit-b_lvis.py '
            'work_dirs/labeler_vit-b_lvis/epoch_10.pth',
        ),
    ],
    produces=None,
)
