# BESTIE from image tags on synthetic scenes, every stage in order:
#   python tools/run_pipeline.py configs/bestie/pipeline_synthetic.py
_base_ = '../_base_/pipelines/synthetic.py'

pipeline = dict(
    name='bestie_{data}',
    title='BESTIE on {title}',
    supervision='image_tags',
    data=dict(
        synthetic=dict(
            title='synthetic scenes',
            network='mmwsis::bestie/bestie_r18_synthetic.py',
            refined='mmwsis::bestie/mask-rcnn_r18_synthetic.py',  # the method's last stage
            final_model='mask-rcnn_r18_synthetic.py',  # its fully-supervised baseline
            own_labels='bestie',
            semantic_maps='{data_root}/pseudo_labels/irnet_semantic',
        ),
    ),
    stages=[
        dict(name='scenes'),
        dict(name='weak_labels'),
        dict(
            name='irnet_classifier',
            type='train',
            config='mmwsis::irnet/cam_r18_{data}.py',
        ),
        dict(
            name='class_maps',
            type='generate',
            config='mmwsis::irnet/cam_r18_{data}.py',
            out='{data_root}/class_maps/irnet',
        ),
        dict(
            name='relation_labels',
            type='generate',
            config='mmwsis::irnet/relation-labels_{data}.py',
            has_weights=False,
            out='{data_root}/relation_labels/irnet',
        ),
        dict(
            name='irnet',
            type='train',
            config='mmwsis::irnet/irnet_r18_{data}.py',
            cfg_options={
                'model.backbone.init_cfg.checkpoint': '{checkpoint:irnet_classifier}',
            },
        ),
        dict(
            name='semantic_maps',
            type='generate',
            config='mmwsis::irnet/irnet_r18_{data}.py',
            artifact='semantic_maps',
            out='{data_root}/pseudo_labels/irnet_semantic',
        ),
        dict(name='map_quality'),
        dict(
            name='classifier',
            type='train',
            config='mmwsis::bestie/pam_r18_{data}.py',
            cfg_options={
                'model.backbone.init_cfg.checkpoint': '{checkpoint:irnet_classifier}',
            },
        ),
        dict(
            name='cues',
            type='generate',
            config='mmwsis::bestie/pam_r18_{data}.py',
            out='{data_root}/pseudo_labels/bestie_cues.json',
        ),
        dict(name='cue_quality'),
        dict(name='training'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='{network}',
            out='{data_root}/pseudo_labels/{own_labels}.json',
        ),
        dict(name='quality'),
        dict(name='final_model', config='{refined}'),
        dict(name='final_test', config='{refined}'),
        dict(name='full_supervision'),
        dict(name='full_test'),
        dict(name='report'),
    ],
    fast=dict(
        # Classifiers of two iterations are at chance.
        class_maps=dict(args=['--force']),
        cues=dict(args=['--force']),
        # At the full rate two iterations make everything background, and no labels.
        network={'optim_wrapper.optimizer.lr': 1e-9},
    ),
)
