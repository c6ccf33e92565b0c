# The instances that IRNet finds from the image tags of the synthetic scenes.
wsis = dict(
    method='IRNet',
    stage='final_model',
    supervision='image_tags',
    requires=[
        dict(
            path='data/synthetic/pseudo_labels/irnet.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/irnet_r18_synthetic.py '
            'work_dirs/irnet_r18_synthetic/iter_300.pth',
        ),
    ],
    produces=None,
)
