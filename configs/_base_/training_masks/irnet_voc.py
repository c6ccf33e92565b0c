# The instances that IRNet finds from the image tags of VOC.
wsis = dict(
    method='IRNet',
    stage='final_model',
    supervision='image_tags',
    requires=[
        dict(
            path='data/voc/pseudo_labels/irnet.json',
            command='python tools/generate_pseudo_labels.py '
            'configs/irnet/irnet_r50_voc.py '
            'work_dirs/irnet_r50_voc/epoch_3.pth',
        ),
    ],
    produces=None,
)
