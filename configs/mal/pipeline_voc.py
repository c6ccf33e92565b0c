# MAL on VOC 2012, every stage in order: python tools/run_pipeline.py configs/mal/pipeline_voc.py
_base_ = '../_base_/pipelines/voc.py'

pipeline = dict(
    name='mal_voc',
    title='MAL on VOC 2012',
    work_dir='work_dirs/pipelines/mal_voc',
    stages=[
        _base_.weak_boxes,
        dict(name='labeler', type='train', config='labeler_vit-b_voc.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-b_voc.py',
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
