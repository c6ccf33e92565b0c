# WISE from one point per object on synthetic scenes, every stage in order:
#   python tools/run_pipeline.py configs/wise/pipeline_synthetic.py
_base_ = ['../_base_/pipelines/synthetic.py', '../_base_/pipelines/wise_stages.py']

pipeline = dict(
    name='wise_{data}',
    title='WISE on {title}',
    supervision='points',
    data=dict(
        synthetic=dict(
            title='synthetic scenes',
            network='mmwsis::wise/wise_r18_synthetic.py',
            refined='mmwsis::wise/mask-rcnn_r18_synthetic.py',
            final_model='mask-rcnn_r18_synthetic.py',
            proposals='{data_root}/proposals/built_in',
            min_score=0,  # the built-in scores are not calibrated
            weak='final_test',
        ),
    ),
    stages=[dict(name='scenes'), *_base_.stages],
)
