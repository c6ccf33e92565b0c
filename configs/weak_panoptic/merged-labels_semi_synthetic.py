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
    produces='data/synthetic/pseudo_labels/weak_panoptic_semi_round0.json',
)
del full_labels, pipeline
