# MAL, every stage in order:
#   python tools/run_pipeline.py configs/mal/pipeline.py --data voc
_base_ = '../_base_/pipelines/stages.py'

pipeline = dict(
    name='mal_{data}',
    title='MAL on {title}',
    supervision='boxes',
    data=dict(  # --data; the first is the default
        coco=dict(title='COCO', final_model='solov2_r50.py'),
        voc=dict(title='VOC 2012', final_model='solov2_r50_voc.py'),
        lvis=dict(title='LVIS v1', final_model='mask-rcnn_x101-32x4d_lvis.py'),
    ),
    dataset='../data_specs/{data}.py',
    stages=[
        dict(name='weak_labels'),
        dict(name='labeler', type='train', config='labeler_vit-b_{data}.py'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-b_{data}.py',
            out='{data_root}/pseudo_labels/mal.json',
        ),
        dict(name='quality'),
        dict(name='final_model'),
        dict(name='final_test'),
        dict(name='full_supervision'),
        dict(name='full_test'),
        dict(name='report'),
    ],
)
