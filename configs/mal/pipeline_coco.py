# MAL on COCO, every stage in order: python tools/run_pipeline.py configs/mal/pipeline_coco.py
_base_ = '../_base_/pipelines/coco.py'

pipeline = dict(
    name='mal_coco',
    title='MAL on COCO',
    work_dir='work_dirs/pipelines/mal_coco',
    stages=[
        _base_.weak_boxes,
        dict(name='labeler', type='train', config='labeler_vit-b_coco.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-b_coco.py',
            out='{data_root}/pseudo_labels/mal.json',
        ),
        dict(_base_.quality, pseudo='{data_root}/pseudo_labels/mal.json'),
        _base_.final_model,
        _base_.final_test,
        _base_.full_supervision,
        _base_.full_test,
        _base_.report,
    ],
)
