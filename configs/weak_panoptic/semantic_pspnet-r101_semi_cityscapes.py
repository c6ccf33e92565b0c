# Semi-supervision: the same network, loss and images; fully labelled ones keep their map in
# every round.
_base_ = './semantic_pspnet-r101_cityscapes.py'

full_labels = dict(
    type='mmwsis.LoadFullLabels',
    ann_file='data/cityscapes/annotations/panoptic_gtFine_train.json',
)
labels = 'data/cityscapes/pseudo_labels/weak_panoptic_semi_round0.json'
datasets = _base_.train_dataloader.dataset.datasets
datasets[0].pipeline[1].ann_file = labels
train_dataloader = dict(dataset=dict(datasets=datasets))
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
        *_base_.wsis.requires[:1],
        'configs/weak_panoptic/merged-labels_semi_cityscapes.py',
        'configs/weak_panoptic/box-labels_cityscapes.py',
        _base_.wsis.requires[3],
        dict(
            path='data/cityscapes/weak/masks25_boxes75_gtFine_train.json',
            command='python tools/dataset_converters/mix_supervision.py '
            'data/cityscapes/annotations/panoptic_gtFine_train.json '
            '--masks 25% --boxes rest --crop-tags 400x500 '
            '--out data/cityscapes/weak/masks25_boxes75_gtFine_train.json',
        ),
    ],
    produces='data/cityscapes/pseudo_labels/weak_panoptic_semi_round1.json',
)
del full_labels, datasets, pipeline
