# EXITS on LVIS v1, every stage in order: python tools/run_pipeline.py configs/exits/pipeline_lvis.py
_base_ = '../_base_/pipelines/lvis.py'

pipeline = dict(
    name='exits_lvis',
    title='EXITS on LVIS v1',
    work_dir='work_dirs/pipelines/exits_lvis',
    stages=[
        _base_.weak_extreme_points,
        dict(
            name='similarity_extractor',
            type='train',
            config='similarity-extractor_vit-b_lvis.py',
        ),
        dict(name='labeler', type='train', config='labeler_vit-b_lvis.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-b_lvis.py',
            out='{data_root}/pseudo_labels/exits.json',
        ),
        dict(_base_.quality, pseudo='{data_root}/pseudo_labels/exits.json'),
        _base_.final_model,
        _base_.final_test,
        _base_.full_supervision,
        _base_.full_test,
        _base_.report,
    ],
)
