# Synthetic scenes: the stage that draws them, and what --fast changes.
_base_ = './stages.py'

pipeline = dict(
    dataset='../data_specs/synthetic.py',
    common=dict(
        scenes=dict(
            type='command',
            only_with=['generator'],
            command=[
                'tools/dataset_converters/make_synthetic.py',
                *('--out', 'data/synthetic'),
            ],
            outputs=[
                'data/synthetic/annotations/instances_train.json',
                'data/synthetic/annotations/instances_val.json',
            ],
        ),
    ),
    # It shows that every stage works, and nothing else.
    fast=dict(
        root='work_dirs/fast',
        scenes=dict(
            command=[
                'tools/dataset_converters/make_synthetic.py',
                *('--out', 'data/synthetic', '--train', '12', '--val', '4'),
            ],
        ),
        train={
            'train_cfg.max_iters': 2,
            'train_cfg.val_interval': 2,
            'default_hooks.logger.interval': 1,
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'val_dataloader.num_workers': 0,
            'val_dataloader.persistent_workers': False,
            'test_dataloader.num_workers': 0,
            'test_dataloader.persistent_workers': False,
        },
        generate={
            'pseudo_label_dataloader.num_workers': 0,
            'pseudo_label_dataloader.persistent_workers': False,
        },
        test={
            'val_dataloader.num_workers': 0,
            'val_dataloader.persistent_workers': False,
            'test_dataloader.num_workers': 0,
            'test_dataloader.persistent_workers': False,
        },
    ),
)
