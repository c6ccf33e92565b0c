# MAL on synthetic scenes, every stage in order:
#   python tools/run_pipeline.py configs/mal/pipeline_synthetic.py
_base_ = '../_base_/pipelines/synthetic.py'

pipeline = dict(
    name='mal_{data}',
    title='MAL on {title}',
    supervision='boxes',
    data=dict(
        synthetic=dict(title='synthetic scenes', final_model='solov2_r18_synthetic.py'),
    ),
    stages=[
        dict(name='scenes'),
        dict(name='weak_labels'),
        dict(name='mae', type='train', config='../exits/mae_vit-tiny_synthetic.py'),
        dict(
            name='labeler',
            type='train',
            config='labeler_vit-tiny_synthetic.py',
            cfg_options={
                'model.network.encoder.init_cfg.checkpoint': '{checkpoint:mae}',
            },
        ),
        dict(
            name='pseudo_labels',
            type='generate',
            config='labeler_vit-tiny_synthetic.py',
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
