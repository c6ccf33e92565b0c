# The masks that the MAL labeler makes of the boxes of LVIS.
wsis = dict(
    method='MAL',
    stage='final_model',
    supervision='boxes',
    requires=[
        dict(
            path='data/lvis_v1/pseudo_labels/mal.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/mal/labeler_vit-b_lvis.py '
            'work_dirs/mal/labeler_vit-b_lvis/epoch_10.pth',
        ),
    ],
    produces=None,
)
