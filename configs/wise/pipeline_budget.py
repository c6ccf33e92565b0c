# Table 2 of WISE on VOC 2012: 29,280 seconds of annotation, bought as tags of 1,464 images,
# points of 1,325 or masks of 122; three trainings and one table:
#   python tools/run_pipeline.py configs/wise/pipeline_budget.py
_base_ = ['../_base_/pipelines/stages.py', '../_base_/pipelines/budget_stages.py']

# Points that people clicked (docs/datasets/voc.md), as in the paper.
clicks = '{data_root}/{train.weak.points}'
_base_.stages[0].command += ['--labels', f'points={clicks}']
_base_.stages[0].inputs.append(clicks)
pipeline = dict(
    name='wise_budget_{data}',
    title='The same hours as tags, points or masks of {title}',
    supervision='points',
    data=dict(
        voc=dict(
            title='VOC 2012',
            dataset='voc_train',  # without SBD
            seconds=29280,
            network='mmwsis::wise/wise_r50_voc.py',
            tag_network='mmwsis::wise/wise_r50_prm_voc.py',
            classifier='mmwsis::wise/prm_r50_voc.py',
            mask_network='mmwsis::final_models/mask-rcnn_r50_voc_budget.py',
            proposals='{data_root}/proposals/budget',
            min_score=0,  # the built-in scores are not calibrated
        ),
    ),
    dataset='mmwsis::data_specs/{dataset}.py',
    stages=_base_.stages,
)
del clicks
