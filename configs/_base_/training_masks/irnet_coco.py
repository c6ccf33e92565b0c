# The instances that IRNet finds from the image tags of COCO.
wsis = dict(
    method='IRNet',
    stage='final_model',
    supervision='image_tags',
    requires=[
        dict(
            path='data/coco/pseudo_labels/irnet.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/irnet_r50_coco.py '
            'work_dirs/irnet_r50_coco/epoch_3.pth',
        ),
    ],
    produces=None,
)
