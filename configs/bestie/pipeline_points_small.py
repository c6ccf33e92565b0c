# BESTIE from one point per object on a few hundred photographs, without a GPU: clicks in place of cues.
#   python tools/run_pipeline.py configs/bestie/pipeline_points_small.py --dataset FILE
_base_ = './pipeline_small.py'

pipeline = dict(
    name='bestie_points_{data}',
    title='BESTIE from points on {title}',
    supervision='points',
    data=dict(
        small=dict(
            network='mmwsis::bestie/bestie_efficientnet-lite0_points_small.py',
            refined='mmwsis::bestie/mask-rcnn_efficientnet-lite0_points_small.py',
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
        *_base_.pipeline.stages[:1],
        dict(name='tags'),
        dict(name='tags_of_points'),
        *_base_.pipeline.stages[1:],
    ],
    without=['classifier', 'cues', 'cue_quality'],
)
