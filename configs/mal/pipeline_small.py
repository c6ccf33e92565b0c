# MAL on a few hundred photographs, without a GPU, every stage in order:
#   python tools/run_pipeline.py configs/mal/pipeline_small.py --dataset FILE
_base_ = '../_base_/pipelines/small.py'

pipeline = dict(
    name='mal_{data}',
    title='MAL on {title}',
    supervision='boxes',
    data=dict(
        small=dict(
            title='a few hundred photographs',
            final_model='solov2_efficientnet-lite0_small.py',
        ),
    ),
    stages=[
        dict(name='weak_labels'),
        dict(
            name='labeler',
            type='train',
            config='mmwsis::mal/labeler_efficientnet-lite0_{data}.py',
        ),
        dict(
            name='pseudo_labels',
            type='generate',
            config='mmwsis::mal/labeler_efficientnet-lite0_{data}.py',
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
