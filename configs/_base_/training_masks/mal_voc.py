# The masks that the MAL labeler makes of the boxes of VOC.
wsis = dict(
    method='MAL',
    stage='final_model',
    supervision='boxes',
    requires=[
        dict(
            path='data/voc/pseudo_labels/mal.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/mal/labeler_vit-b_voc.py '
            'work_dirs/mal/labeler_vit-b_voc/epoch_80.pth',
        ),
    ],
    produces=None,
)
