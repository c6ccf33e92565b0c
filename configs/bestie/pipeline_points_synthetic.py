# BESTIE from one point per object on synthetic scenes: clicks in place of cues.
#   python tools/run_pipeline.py configs/bestie/pipeline_points_synthetic.py
_base_ = './pipeline_synthetic.py'

pipeline = dict(
    name='bestie_points_{data}',
    title='BESTIE from points on {title}',
    supervision='points',
    data=dict(
        synthetic=dict(
            network='mmwsis::bestie/bestie_r18_points_synthetic.py',
            refined='mmwsis::bestie/mask-rcnn_r18_points_synthetic.py',
            own_labels='bestie_points',
        ),
    ),
    common=dict(
        training=dict(
            first=dict(_delete_=True, next_maps='{semantic_maps}'),
            stages=[
                dict(name='network'),
                dict(name='network_test'),
                dict(name='next_maps'),
            ],
            for_next=['next_maps'],
            from_round=None,
        ),
        network=dict(
            cfg_options={
                '_delete_': True,
                'train_dataloader.dataset.pipeline.1.folder': '{previous:next_maps}',
            },
        ),
    ),
    stages=[
        *_base_.pipeline.stages[:2],
        dict(name='tags'),
        dict(name='tags_of_points'),
        *_base_.pipeline.stages[2:],
    ],
    without=['classifier', 'cues', 'cue_quality'],
)
