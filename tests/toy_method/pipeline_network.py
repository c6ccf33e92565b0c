pipeline = dict(
    name='toy_network',
    title='A toy network in rounds',
    work_dir='work_dirs/pipelines/toy_network',
    stages=[
        dict(
            name='refine',
            type='rounds',
            rounds=2,
            first=dict(points='scenes/weak/points_train.json'),
            stages=[
                dict(
                    name='network',
                    type='train',
                    config='network.py',
                    cfg_options={
                        'train_dataloader.dataset.ann_file': '{previous:points}',
                        'load_from': '{previous_checkpoint:network}',
                    },
                ),
                dict(
                    name='points',
                    type='generate',
                    config='network.py',
                    out='labels/found_round{round}.json',
                ),
                dict(name='test', type='test', config='network.py'),
            ],
        ),
        dict(
            name='instances',
            type='generate',
            config='network.py',
            artifact='instances',
            checkpoint='{checkpoint:network}',
            out='labels/found.json',
        ),
        dict(name='report', type='report', weak='test'),
    ],
)
