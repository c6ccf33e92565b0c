_base_ = [
    'mmdet::solov2/solov2_x101-dcn_fpn_ms-3x_coco.py',
    '../_base_/datasets/coco.py',
    '../_base_/final_model_runtime.py',
]

train_dataloader = dict(dataset=dict(ann_file='pseudo_labels/exits.json'))
visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
)

wsis = dict(
    method='EXITS',
    stage='final_model',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/coco/pseudo_labels/exits.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/exits/labeler_vit-b_coco.py '
            'work_dirs/labeler_vit-b_coco/epoch_10.pth',
        ),
    ],
    produces=None,
)
