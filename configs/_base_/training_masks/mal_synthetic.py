# The masks that the MAL labeler makes of the boxes of the synthetic scenes.
wsis = dict(
    method='MAL',
    stage='final_model',
    supervision='boxes',
    requires=[
        dict(
            path='data/synthetic/pseudo_labels/mal.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/mal/labeler_vit-tiny_synthetic.py '
            'work_dirs/mal/labeler_vit-tiny_synthetic/iter_1400.pth',
        ),
    ],
    produces=None,
)
