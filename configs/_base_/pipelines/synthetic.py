# Synthetic scenes, and the stage that draws them.
_base_ = './fast.py'

pipeline = dict(
    dataset='mmwsis::data_specs/synthetic.py',
    baseline_seeds=2,
    common=dict(
        scenes=dict(
            type='command',
            only_with=['generator'],
            command=[
                'tools/dataset_converters/make_synthetic.py',
                *('--out', 'data/synthetic'),
            ],
            outputs=[
                'data/synthetic/annotations/instances_train.json',
                'data/synthetic/annotations/instances_val.json',
                'data/synthetic/annotations/panoptic_train.json',
                'data/synthetic/annotations/panoptic_train',
                'data/synthetic/annotations/panoptic_val.json',
                'data/synthetic/annotations/panoptic_val',
            ],
        ),
    ),
    fast=dict(
        root='work_dirs/fast',
        scenes=dict(
            command=[
                'tools/dataset_converters/make_synthetic.py',
                *('--out', 'data/synthetic', '--train', '12', '--val', '4'),
            ],
        ),
    ),
)
