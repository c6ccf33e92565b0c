# Semi-supervision: the same network, loss and images; fully labelled ones keep their map in
# every round.
_base_ = './semantic_pspnet-r18_synthetic.py'

mixed = 'weak/masks25_boxes75_panoptic_train.json'
full_labels = dict(
    type='mmwsis.LoadFullLabels',
    ann_file='data/synthetic/annotations/panoptic_train.json',
)
train_pipeline = _base_.train_dataloader.dataset.pipeline
train_pipeline[
    1
].ann_file = 'data/synthetic/pseudo_labels/weak_panoptic_semi_round0.json'
label_pipeline = _base_.pseudo_label_dataloader.dataset.pipeline
train_dataloader = dict(dataset=dict(ann_file=mixed, pipeline=train_pipeline))
pseudo_label_dataloader = dict(
    dataset=dict(
        supervision='masks',  # no image may see more; most see less
        ann_file=mixed,
        pipeline=[*label_pipeline[:-1], full_labels, label_pipeline[-1]],
    ),
)
wsis = dict(
    supervision='masks',
    requires=[
        'configs/weak_panoptic/merged-labels_semi_synthetic.py',
        'configs/weak_panoptic/box-labels_synthetic.py',
        dict(
            path='data/synthetic/weak/masks25_boxes75_panoptic_train.json',
            command='python tools/dataset_converters/mix_supervision.py '
            'data/synthetic/annotations/panoptic_train.json --masks 25% --boxes rest '
            '--crop-tags 80x80 '
            '--out data/synthetic/weak/masks25_boxes75_panoptic_train.json',
        ),
    ],
    produces='data/synthetic/pseudo_labels/weak_panoptic_semi_round1.json',
)
del mixed, full_labels, label_pipeline
