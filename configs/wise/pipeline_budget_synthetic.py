# The same hours as tags, points or masks of synthetic scenes; the figures of the table beside
# ours are those of the paper on VOC:
#   python tools/run_pipeline.py configs/wise/pipeline_budget_synthetic.py
_base_ = ['../_base_/pipelines/synthetic.py', '../_base_/pipelines/budget_stages.py']

_base_.stages[-2].cfg_options = {
    'test_evaluator.type': 'mmwsis.CocoInstanceMetric',
    'test_evaluator.ap_thrs': [0.25, 0.5, 0.75],
}
pipeline = dict(
    name='wise_budget_{data}',
    title='The same hours as tags, points or masks of {title}',
    supervision='points',
    data=dict(
        synthetic=dict(
            title='synthetic scenes',
            seconds=20 * 240,  # tags of all scenes
            network='mmwsis::wise/wise_r18_synthetic.py',
            tag_network='mmwsis::wise/wise_r18_prm_synthetic.py',
            classifier='mmwsis::wise/prm_r18_synthetic.py',
            final_model='mask-rcnn_r18_synthetic.py',
            proposals='{data_root}/proposals/budget',
            min_score=0,  # the built-in scores are not calibrated
        ),
    ),
    stages=[dict(name='scenes'), *_base_.stages],
    fast=dict(
        # A dozen scenes; a classifier of two iterations is at chance.
        budget=dict(
            command=[
                'tools/dataset_converters/annotation_budget.py',
                '{data_root}/{train.ann_file}',
                *('--seconds', 240, '--levels', 'image_tags', 'points', 'masks'),
                *('--out-dir', '{data_root}/budget', '--overwrite'),
                *('--cost', 'masks=120'),
            ],
        ),
        tag_points=dict(args=['--force']),
        val_tag_points=dict(args=['--force']),
    ),
)
