# Table 2 of WISE on VOC 2012: 29,280 seconds of annotation, bought as tags of 1,464 images,
# points of 1,325 or masks of 122; three trainings and one table:
#   python tools/run_pipeline.py configs/wise/pipeline_budget.py
_base_ = ['../_base_/pipelines/stages.py', '../_base_/pipelines/budget_stages.py']

# Mask R-CNN runs for as many iterations as it does on all images, and is tested by the rules
# of the others.
_base_.stages[-3].cfg_options.update(
    {
        'train_cfg.max_epochs': 144,
        'train_cfg.val_interval': 144,
        'param_scheduler.1.end': 144,
        'param_scheduler.1.milestones': [96, 132],
        'default_hooks.checkpoint.interval': 12,
    }
)
_base_.stages[-2].cfg_options = {
    'test_evaluator.1.type': 'mmwsis.CocoInstanceMetric',
    'test_evaluator.1.ap_thrs': [0.25, 0.5, 0.75],
    'test_evaluator.1.remove_void': True,
}
pipeline = dict(
    name='wise_budget_{data}',
    title='The same hours as tags, points or masks of {title}',
    supervision='points',
    data=dict(
        voc=dict(
            title='VOC 2012',
            seconds=29280,
            network='mmwsis::wise/wise_r50_voc.py',
            tag_network='mmwsis::wise/wise_r50_prm_voc.py',
            classifier='mmwsis::wise/prm_r50_voc.py',
            final_model='mask-rcnn_r50_voc_train.py',
            proposals='{data_root}/proposals/budget',
            min_score=0,  # the built-in scores are not calibrated
        ),
    ),
    dataset='mmwsis::data_specs/voc_train.py',
    stages=_base_.stages,
)
