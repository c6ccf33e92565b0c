# The masks that the EXITS labeler makes of the extreme points of the synthetic scenes.
wsis = dict(
    method='EXITS',
    stage='final_model',
    supervision='extreme_points',
    requires=[
        dict(
            path='data/synthetic/pseudo_labels/exits.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/exits/labeler_vit-tiny_synthetic.py '
            'work_dirs/labeler_vit-tiny_synthetic/iter_1400.pth',
        ),
    ],
    produces=None,
)
