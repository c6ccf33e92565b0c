# MAL on synthetic scenes, every stage in order: python tools/run_pipeline.py configs/mal/pipeline_synthetic.py
_base_ = '../_base_/pipelines/synthetic.py'

pipeline = dict(
    name='mal_synthetic',
    title='MAL on synthetic scenes',
    work_dir='work_dirs/pipelines/mal_synthetic',
    stages=[
        _base_.scenes,
        _base_.weak_boxes,
        dict(name='mae', type='train', config='../exits/mae_vit-tiny_synthetic.py'),
        dict(name='labeler', type='train', config='labeler_vit-tiny_synthetic.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-tiny_synthetic.py',
            out='{data_root}/pseudo_labels/mal.json',
        ),
        dict(_base_.quality, pseudo='{data_root}/pseudo_labels/mal.json'),
        _base_.final_model,
        _base_.final_test,
        _base_.full_supervision,
        _base_.full_test,
        _base_.report,
    ],
    fast=dict(
        _base_.fast,
        mae=_base_.few_iterations,
        labeler={**_base_.few_iterations, **_base_.one_process, **_base_.from_mae},
    ),
)
