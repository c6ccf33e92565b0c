# The masks that the EXITS labeler makes of the extreme points of VOC.
wsis = dict(
    method='EXITS',
    stage='final_model',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/voc/pseudo_labels/exits.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/exits/labeler_vit-b_voc.py '
            'work_dirs/labeler_vit-b_voc/epoch_80.pth',
        ),
    ],
    produces=None,
)
