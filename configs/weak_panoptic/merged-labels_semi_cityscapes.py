# Semi-supervision: images whose `supervision` is masks in the label file keep the map that
# people drew; the others are merged as in the weak recipe.
_base_ = './merged-labels_cityscapes.py'

full_labels = dict(
    type='mmwsis.LoadFullLabels',
    ann_file='data/cityscapes/annotations/panoptic_gtFine_train.json',
)
pipeline = _base_.pseudo_label_dataloader.dataset.pipeline
pseudo_label_dataloader = dict(
    dataset=dict(
        supervision='masks',  # no image may see more; most see less
        ann_file='weak/masks25_boxes75_gtFine_train.json',
        pipeline=[*pipeline[:-1], full_labels, pipeline[-1]],
    ),
)
wsis = dict(
    supervision='masks',
    requires=[
        'configs/weak_panoptic/box-labels_cityscapes.py',
        'configs/weak_panoptic/classifier_r50_cityscapes.py',
        dict(
            path='data/cityscapes/weak/masks25_boxes75_gtFine_train.json',
            command='python tools/dataset_converters/mix_supervision.py '
            'data/cityscapes/annotations/panoptic_gtFine_train.json '
            '--masks 25% --boxes rest --crop-tags 400x500 '
            '--out data/cityscapes/weak/masks25_boxes75_gtFine_train.json',
        ),
    ],
    produces='data/cityscapes/pseudo_labels/weak_panoptic_semi_round0.json',
)
del full_labels, pipeline
