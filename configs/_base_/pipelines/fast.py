# What --fast changes in the pipelines for two CPU cores: it shows that every stage works,
# and nothing else.
_base_ = './stages.py'

pipeline = dict(
    fast=dict(
        baseline_seeds=1,
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
