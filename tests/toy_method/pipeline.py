pipeline = dict(
    name='toy',
    title='A toy method',
    work_dir='work_dirs/pipelines/toy',
    stages=[
        dict(
            name='refine',
            type='rounds',
            rounds=2,
            first=dict(points='scenes/weak/points_train.json'),
            stages=[
                dict(
                    name='points',
                    type='generate',
                    config='similar_pixels.py',
                    has_weights=False,
                    cfg_options={
                        'pseudo_label_dataloader.dataset.ann_file': '{previous:points}',
                    },
                    out='labels/points_round{round}.json',
                ),
            ],
        ),
        dict(
            name='instances',
            type='generate',
            config='similar_pixels.py',
            has_weights=False,
            artifact='instances',
            cfg_options={
                'pseudo_label_dataloader.dataset.ann_file': '{out:points}',
            },
            out='labels/instances.json',
        ),
    ],
)
