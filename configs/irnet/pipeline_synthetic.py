# IRNet on synthetic scenes, every stage in order:
#   python tools/run_pipeline.py configs/irnet/pipeline_synthetic.py
_base_ = ['../_base_/pipelines/synthetic.py', '../_base_/pipelines/irnet_stages.py']

pipeline = dict(
    name='irnet_{data}',
    title='IRNet on {title}',
    supervision='image_tags',
    data=dict(
        synthetic=dict(
            title='synthetic scenes',
            backbone='r18',
            final_model='mask-rcnn_r18_synthetic.py',
        ),
    ),
    # No ImageNet weights: those of the classifier.
    common=dict(
        labeler=dict(
            cfg_options={
                'model.backbone.init_cfg.checkpoint': '{checkpoint:classifier}',
            },
        ),
    ),
    stages=[dict(name='scenes'), *_base_.stages],
    # A classifier of two iterations is at chance.
    fast=dict(class_maps=dict(args=['--force'])),
)
