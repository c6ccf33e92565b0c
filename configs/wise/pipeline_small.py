# WISE from one point per object on a few hundred photographs, without a GPU, every stage in
# order:
#   python tools/run_pipeline.py configs/wise/pipeline_small.py --dataset FILE
_base_ = ['../_base_/pipelines/small.py', '../_base_/pipelines/wise_stages.py']

pipeline = dict(
    name='wise_{data}',
    title='WISE on {title}',
    supervision='points',
    data=dict(
        small=dict(
            title='a few hundred photographs',
            network='mmwsis::wise/wise_efficientnet-lite0_small.py',
            refined='mmwsis::wise/mask-rcnn_efficientnet-lite0_small.py',
            final_model='mask-rcnn_efficientnet-lite0_small.py',
            proposals='{data_root}/proposals/built_in',
            min_score=0,  # the built-in scores are not calibrated
            weak='final_test',
        ),
    ),
    stages=_base_.stages,
)
