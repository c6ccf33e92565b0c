# EXITS on synthetic scenes, every stage in order: python tools/run_pipeline.py configs/exits/pipeline_synthetic.py
_base_ = '../_base_/pipelines/synthetic.py'

from_extractor = {
    'wsis.requires.2.path': '{checkpoint:similarity_extractor}',
    'model.similarity_extractor.init_cfg.checkpoint': '{checkpoint:similarity_extractor}',
}

pipeline = dict(
    name='exits_synthetic',
    title='EXITS on synthetic scenes',
    work_dir='work_dirs/pipelines/exits_synthetic',
    stages=[
        _base_.scenes,
        _base_.weak_extreme_points,
        dict(name='mae', type='train', config='mae_vit-tiny_synthetic.py'),
        dict(
            name='similarity_extractor',
            type='train',
            config='similarity-extractor_vit-tiny_synthetic.py',
        ),
        dict(name='labeler', type='train', config='labeler_vit-tiny_synthetic.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-tiny_synthetic.py',
            out='{data_root}/pseudo_labels/exits.json',
        ),
        dict(_base_.quality, pseudo='{data_root}/pseudo_labels/exits.json'),
        _base_.final_model,
        _base_.final_test,
        _base_.full_supervision,
        _base_.full_test,
        _base_.report,
    ],
    fast=dict(
        _base_.fast,
        mae=_base_.few_iterations,
        similarity_extractor={
            **_base_.few_iterations,
            **_base_.one_process,
            **_base_.from_mae,
        },
        labeler={
            **_base_.few_iterations,
            **_base_.one_process,
            **_base_.from_mae,
            **from_extractor,
        },
    ),
)
