# EXITS on COCO, every stage in order: python tools/run_pipeline.py configs/exits/pipeline_coco.py
_base_ = '../_base_/pipelines/coco.py'

pipeline = dict(
    name='exits_coco',
    title='EXITS on COCO',
    work_dir='work_dirs/pipelines/exits_coco',
    stages=[
        _base_.weak_extreme_points,
        dict(
            name='similarity_extractor',
            type='train',
            config='similarity-extractor_vit-b_coco.py',
        ),
        dict(name='labeler', type='train', config='labeler_vit-b_coco.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-b_coco.py',
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
