# The masks that the MAL labeler makes of the boxes of COCO.
wsis = dict(
    method='MAL',
    stage='final_model',
    supervision='boxes',
    requires=[
        dict(
            path='data/coco/pseudo_labels/mal.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/mal/labeler_vit-b_coco.py '
            'work_dirs/mal/labeler_vit-b_coco/epoch_10.pth',
        ),
    ],
    produces=None,
)
