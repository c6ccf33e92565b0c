_base_ = [
    '../_base_/models/cam_r18_synthetic.py',
    '../_base_/tagged_images/synthetic.py',
    '../_base_/schedules/cam_small.py',
    '../_base_/small_classifier_runtime.py',
]

wsis = dict(
    method='IRNet',
    stage='classifier',
    supervision='image_tags',
    requires=[
        dict(
            path='data/synthetic/weak/image_tags_train.json',
            command='python tools/dataset_converters/make_synthetic.py --out data/synthetic',
        ),
    ],
    produces='data/synthetic/class_maps/irnet',
)
