# Semi-supervision: images whose `supervision` is masks in the label file keep the map that
# people drew; the others are merged as in the weak recipe.
_base_ = './merged-labels_synthetic.py'

full_labels = dict(
    type='mmwsis.LoadFullLabels',
    ann_file='data/synthetic/annotations/panoptic_train.json',
)
pipeline = _base_.pseudo_label_dataloader.dataset.pipeline
pseudo_label_dataloader = dict(
    dataset=dict(
        supervision='masks',  # no image may see more; most see less
        ann_file='weak/masks25_boxes75_panoptic_train.json',
        pipeline=[*pipeline[:-1], full_labels, pipeline[-1]],
    ),
)
wsis = dict(
    supervision='masks',
    requires=[
        'configs/weak_panoptic/box-labels_synthetic.py',
        'configs/weak_panoptic/classifier_r18_synthetic.py',
        dict(
            path='data/synthetic/weak/masks25_boxes75_panoptic_train.json',
            command='python tools/dataset_converters/mix_supervision.py '
            'data/synthetic/annotations/panoptic_train.json --masks 25% --boxes rest '
            '--crop-tags 80x80 '
            '--out data/synthetic/weak/masks25_boxes75_panoptic_train.json',
        ),
    ],
    produces='data/synthetic/pseudo_labels/weak_panoptic_semi_round0.json',
)
del full_labels, pipeline
