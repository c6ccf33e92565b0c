# BESTIE from image tags on synthetic scenes, every stage in order:
#   python tools/run_pipeline.py configs/bestie/pipeline_synthetic.py
_base_ = ['../_base_/pipelines/synthetic.py', '../_base_/pipelines/bestie_stages.py']

pipeline = dict(
    name='bestie_{data}',
    title='BESTIE on {title}',
    supervision='image_tags',
    data=dict(
        synthetic=dict(
            title='synthetic scenes',
            backbone='r18',
            cue_backbone='r18',
            network='mmwsis::bestie/bestie_r18_synthetic.py',
            refined='mmwsis::bestie/mask-rcnn_r18_synthetic.py',  # the method's last stage
            final_model='mask-rcnn_r18_synthetic.py',  # its fully-supervised baseline
            own_labels='bestie',
            semantic_maps='{data_root}/pseudo_labels/irnet_semantic',
        ),
    ),
    # No ImageNet weights: those of the classifier of the CAMs.
    common=dict(
        irnet=dict(
            cfg_options={
                'model.backbone.init_cfg.checkpoint': '{checkpoint:irnet_classifier}',
            },
        ),
        classifier=dict(
            cfg_options={
                'model.backbone.init_cfg.checkpoint': '{checkpoint:irnet_classifier}',
            },
        ),
    ),
    stages=[dict(name='scenes'), *_base_.stages],
    fast=dict(
        # Classifiers of two iterations are at chance.
        class_maps=dict(args=['--force']),
        cues=dict(args=['--force']),
        # At the full rate two iterations make everything background, and no labels.
        network={'optim_wrapper.optimizer.lr': 1e-9},
    ),
)
