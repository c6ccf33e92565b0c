# Synthetic scenes: the stage that draws them, the final model, the twin trained on
# masks, and what --fast changes.
_base_ = ['../datasets/synthetic.py', './stages.py']

scenes = dict(
    name='scenes',
    type='command',
    only_with=['generator'],
    command=['tools/dataset_converters/make_synthetic.py', '--out', 'data/synthetic'],
    outputs=[
        'data/synthetic/annotations/instances_train.json',
        'data/synthetic/annotations/instances_val.json',
    ],
)
final_model = dict(config='solov2_r18_synthetic.py')
final_test = dict(config='solov2_r18_synthetic.py')
full_supervision = dict(config='../fully_supervised/solov2_r18_synthetic.py')
full_test = dict(config='../fully_supervised/solov2_r18_synthetic.py')

# Overrides of --fast: it shows that every stage works, and nothing else. A pipeline adds
# those of its method's stages to `fast`.
one_process = {
    f'{loader}.{key}': value
    for loader in ('val_dataloader', 'test_dataloader')
    for key, value in (('num_workers', 0), ('persistent_workers', False))
}
few_iterations = {
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 2,
    'default_hooks.logger.interval': 1,
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
}
# For an encoder that starts from the `mae` stage.
from_mae = {
    'wsis.requires.1.path': '{checkpoint:mae}',
    'model.network.encoder.init_cfg.checkpoint': '{checkpoint:mae}',
}
fast = dict(
    root='work_dirs/fast',
    scenes=dict(
        command=[
            'tools/dataset_converters/make_synthetic.py',
            *('--out', 'data/synthetic', '--train', '12', '--val', '4'),
        ],
    ),
    pseudo_labels={
        'pseudo_label_dataloader.num_workers': 0,
        'pseudo_label_dataloader.persistent_workers': False,
    },
    final_model={**few_iterations, **one_process},
    final_test=one_process,
    full_supervision={**few_iterations, **one_process},
    full_test=one_process,
)
