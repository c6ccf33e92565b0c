# The masks that the EXITS labeler makes of the extreme points of LVIS.
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
