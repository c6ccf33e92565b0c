# The same from one point per object.
_base_ = './bestie_r18_synthetic.py'

model = dict(supervision='points')

# Clicks in place of cues: centres learn from all of them, and labels of the training
# images are grouped to them.
cues = None
load_points = dict(type='mmwsis.LoadWeakAnnotations')
train_pipeline = _base_.train_pipeline
train_pipeline[2] = load_points
train_pipeline[8].centers_from = 'points'
label_pipeline = _base_.label_pipeline
label_pipeline.insert(1, load_points)
train_dataloader = dict(
    dataset=dict(
        supervision='points',
        ann_file=_base_.data_spec.train.weak.points,
        pipeline=train_pipeline,
    ),
)
pseudo_label_dataloader = dict(
    dataset=dict(
        supervision='points',
        ann_file=_base_.data_spec.train.weak.points,
        pipeline=label_pipeline,
    ),
)

wsis = dict(
    supervision='points',
    requires=[_base_.wsis.requires[1]],
    produces='data/synthetic/pseudo_labels/bestie_points.json',
)
