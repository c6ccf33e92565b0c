# EXITS on synthetic scenes, every stage in order:
#   python tools/run_pipeline.py configs/exits/pipeline_synthetic.py
_base_ = '../_base_/pipelines/synthetic.py'

pipeline = dict(
    name='exits_{data}',
    title='EXITS on {title}',
    supervision='extreme_points',
    data=dict(
        synthetic=dict(title='synthetic scenes', final_model='solov2_r18_synthetic.py'),
    ),
    stages=[
        dict(name='scenes'),
        dict(name='weak_labels'),
        dict(name='mae', type='train', config='mae_vit-tiny_synthetic.py'),
        dict(
            name='similarity_extractor',
            type='train',
            config='similarity-extractor_vit-tiny_synthetic.py',
            cfg_options={
                'model.network.encoder.init_cfg.checkpoint': '{checkpoint:mae}',
            },
        ),
        dict(
            name='labeler',
            type='train',
            config='labeler_vit-tiny_synthetic.py',
            cfg_options={
                'model.network.encoder.init_cfg.checkpoint': '{checkpoint:mae}',
                'model.similarity_extractor.init_cfg.checkpoint': (
                    '{checkpoint:similarity_extractor}'
                ),
            },
        ),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-tiny_synthetic.py',
            out='{data_root}/pseudo_labels/exits.json',
        ),
        dict(name='quality'),
        dict(name='final_model'),
        dict(name='final_test'),
        dict(name='full_supervision'),
        dict(name='full_test'),
        dict(name='report'),
    ],
)
